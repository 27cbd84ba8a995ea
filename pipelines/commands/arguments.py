"""Arguments that several commands share: finished networks of a run, data sets, test-time augmentation."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import torch

    from pipelines.definition.schema import DataConfig
    from segda.artefacts.manifest import Manifest
    from segda.artefacts.store import Store
    from segda.evaluation.test_time_augmentation import Augmentation


def add_rows_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `RUN`, `--stage`, `--runs` and `--cpu`."""
    parser.add_argument(
        "run", metavar="RUN", help="a run's name or lock file, a finished stage's or shared folder, hf-hub:owner/name"
    )
    parser.add_argument("--stage", action="append", default=[], help="a row of the evaluation or a stage; repeatable")
    add_runs_argument(parser)
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")


def add_runs_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--runs`."""
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of results (./runs)")


def add_domain_arguments(parser: argparse.ArgumentParser, domain: str, *, required: bool, text: str) -> None:
    """Add `--source` or `--target`, with root and split of that data set."""
    parser.add_argument(f"--{domain}", required=required, metavar="DATA", help=text)
    parser.add_argument(f"--{domain}-root", metavar="PATH", help="its folder, instead of the config's")
    parser.add_argument(f"--{domain}-split", metavar="SPLIT", help="its split, instead of the config's")


def read_domain(args: argparse.Namespace, domain: str) -> "DataConfig | None":
    """The data set of `add_domain_arguments`, `None` if it is not named."""
    name, root, split = (getattr(args, f"{domain}{suffix}") for suffix in ("", "_root", "_split"))
    return None if name is None else read_data(name, root, split)


def device(args: argparse.Namespace) -> "torch.device":
    """The GPU if there is one, unless `--cpu` is given."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() and not args.cpu else "cpu")


def read_data(name: str, root: str | None, split: str | None) -> "DataConfig":
    """The config of a data set: a file in `configs/data`, a path that ends in `.yaml`, or a finished export's folder.

    An export may also be named as `hf-hub:datasets/owner/name`. `root`, relative to the current folder, and `split`
    replace the config's.

    Raises:
        ConfigError: no such config, or a wrong one.
    """
    from pipelines.definition.components import READER, check_component
    from pipelines.definition.schema import DataConfig
    from pipelines.sharing import hub
    from segda.config import loading
    from segda.config.validation import validate
    from segda.errors import ConfigError

    if hub.is_hub_name(name):
        name = str(hub.fetch(name))
    if (Path(name) / "dataset.json").is_file():
        content: dict[str, Any] = {"name": "adapted", "root": str(Path(name).absolute())}
    else:
        content = loading.load(loading.find(name, "data"), "data")
    if root is not None:
        folder = Path(root).expanduser()
        if not folder.exists():
            raise ConfigError(f"{root}: no such folder, given in place of the root of {name!r}; correct the path")
        content["root"] = str(folder.absolute())
    if split is not None:
        content["split"] = split
    data = validate(DataConfig, content, name)
    check_component("segda.data.readers", data, name, READER)
    print_shadowing(sys.stderr)
    return data


def print_shadowing(stream: TextIO) -> None:
    """Print which of the configs that were found by their names hide shipped ones."""
    from segda.config.lookup import shadowing
    from segda.terminal.escape import escape

    if shadowing():
        print(escape(shadowing()), file=stream)


def add_augmentation_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--flip`, `--scales`, `--window`, `--stride` and `--window-batch`."""
    group = parser.add_argument_group("test-time augmentation, whose probabilities are averaged")
    group.add_argument("--flip", action="store_true", help="predict on the mirrored image, too")
    group.add_argument(
        "--scales", type=float, nargs="+", default=[1.0], metavar="FACTOR", help="resize the image by these (1.0)"
    )
    group.add_argument(
        "--window", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="predict on windows of this size"
    )
    group.add_argument(
        "--stride", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="from one window to the next (two thirds of the window)",
    )  # fmt: skip
    group.add_argument(
        "--window-batch", type=int, metavar="N",
        help="windows in one pass (one on a CPU, else as many as have 2048x1024 pixels together)",
    )  # fmt: skip


def read_augmentation(args: argparse.Namespace) -> "Augmentation":
    """The options as test-time augmentation.

    Raises:
        ConfigError: they make no sense.
    """
    from segda.evaluation.test_time_augmentation import Augmentation

    window, stride = (pair and (pair[0], pair[1]) for pair in (args.window, args.stride))
    return Augmentation(args.flip, tuple(args.scales), window, stride, args.window_batch)


@contextmanager
def explaining_memory(augmentation: "Augmentation") -> Iterator[None]:
    """Turn a lack of memory into a line that says which options take less.

    Raises:
        ResourceError: memory does not suffice.
    """
    from segda.engine.out_of_memory import out_of_memory_reason
    from segda.errors import ResourceError, SegdaError

    try:
        yield
    except Exception as error:
        reason = None if isinstance(error, SegdaError) else out_of_memory_reason(error)
        if reason is None:
            raise
        window = augmentation.window
        remedy = (
            f"smaller windows than --window {window[0]} {window[1]}, or fewer --scales"
            if window
            else "windows, which take the memory of one at a time: --window 512 1024"
        )
        raise ResourceError(f"an image does not fit into memory ({reason}); use {remedy}") from error


def finished_rows(
    store: "Store", run: str, names: Sequence[str] = (), network: str = "head"
) -> dict[str, tuple[Path, "Manifest"]]:
    """Row name to the folder and manifest of the stage whose networks it scores.

    `run` is a run's name or lock file, the folder of one finished stage, a folder that `save_pretrained` wrote, or
    `hf-hub:owner/name`; `names` are rows of the run's evaluation or stages, all finished rows when empty. Stages
    without the `network` are none: a head, or the decoder of translators.

    Raises:
        ArtefactError: no such run or row, or a stage is not finished.
    """
    from dataclasses import replace

    from pipelines import shared_folder
    from pipelines.sharing import hub
    from segda.artefacts import manifest as manifests
    from segda.config.lookup import nearest
    from segda.errors import ArtefactError

    if hub.is_hub_name(run):
        run = str(hub.fetch(run))
    called = "segmentation network" if network == "head" else "translator"
    is_shared = shared_folder.is_shared(Path(run))
    if is_shared or (Path(run) / manifests.FILE_NAME).is_file():
        manifest = shared_folder.manifest(Path(run)) if is_shared else manifests.verify(Path(run))
        if not is_shared and not _has(network, Path(run)):
            kinds = "supervise or align" if network == "head" else "translate"
            raise ArtefactError(
                f"{run}: a finished {manifest.kind!r} stage without a {called}; name a stage that trains a {network}, "
                f"such as {kinds}"
            )
        if any(name != manifest.stage for name in names):
            raise ArtefactError(f"{run}: holds stage {manifest.stage!r} alone; leave out --stage, or name the run")
        return {manifest.stage: (Path(run), manifest)}
    store, run = store.locate(run)
    lock = store.read_lock(run)
    folders = {stage: store.root / entry["folder"] for stage, entry in lock["stages"].items() if entry["folder"]}
    choices = {stage: folder for stage, folder in folders.items() if _has(network, folder)}
    trained: dict[str, dict[str, Path]] = {}
    for stage in lock["config"]["stages"].values():
        for row, reference in stage["rows"].items() if stage["kind"] == "evaluate" else ():
            if reference["from"] in choices:
                trained.setdefault(row, {})[reference["from"]] = choices[reference["from"]]
    # Of a row that several stages trained, one a fold, each is a row of its own, called as its stage.
    rows = {
        row if len(stages) == 1 else stage: folder
        for row, stages in trained.items()
        for stage, folder in stages.items()
    }
    rows = rows or choices
    choices = {**choices, **rows}  # a stage that is no row may be named, too
    for name in names:
        if name not in choices:
            raise ArtefactError(f"{run}: no finished row or stage {name!r}; {nearest(name, choices)}")
    chosen = {name: choices[name] for name in names} if names else rows
    if not chosen:
        raise ArtefactError(f"{run}: no finished stage with a {called}; run it first: segda run {run}")
    verified = {name: (folder, manifests.verify(folder)) for name, folder in chosen.items()}
    # The palette may have changed since a stage was trained.
    task = lock["config"]["task"]
    return {
        name: (folder, replace(manifest, config={**manifest.config, "task": task}))
        for name, (folder, manifest) in verified.items()
    }


def _has(network: str, folder: Path) -> bool:
    from segda.artefacts import manifest as manifests

    return (folder / manifests.FILE_NAME).is_file() and (folder / "networks" / f"{network}.safetensors").is_file()
