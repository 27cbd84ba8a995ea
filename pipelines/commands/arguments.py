"""What several commands take: a data set, test-time augmentation, the finished networks of a run."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.definition.schema import DataConfig
    from segda.artefacts.manifest import Manifest
    from segda.artefacts.store import Store
    from segda.evaluation.test_time_augmentation import Augmentation


def read_data(name: str, root: str | None, split: str | None) -> "DataConfig":
    """The config of a data set.

    Args:
        name: a file in `configs/data`, a path that ends in `.yaml`, or the folder of a finished export.
        root: replaces the config's root; relative to the current folder, as paths on a command line are.
        split: replaces the config's split.

    Raises:
        ConfigError: no such config, or a wrong one.
    """
    from pipelines.definition.components import READER, check_component
    from pipelines.definition.schema import DataConfig
    from segda.config import loading
    from segda.config.validation import validate

    if (Path(name) / "dataset.json").is_file():
        content: dict[str, Any] = {"name": "adapted", "root": str(Path(name).absolute())}
    else:
        content = loading.load(loading.find(name, "data"), "data")
    if root is not None:
        content["root"] = str(Path(root).absolute())
    if split is not None:
        content["split"] = split
    data = validate(DataConfig, content, name)
    check_component("segda.data.readers", data, name, READER)
    return data


def add_augmentation_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--flip`, `--scales`, `--window` and `--stride`."""
    group = parser.add_argument_group("test-time augmentation, whose probabilities are averaged")
    group.add_argument("--flip", action="store_true", help="show the mirrored image, too")
    group.add_argument(
        "--scales", type=float, nargs="+", default=[1.0], metavar="FACTOR", help="show the image at these scales (1.0)"
    )
    group.add_argument(
        "--window", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="show this much of the image at a time"
    )
    group.add_argument(
        "--stride", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="from one window to the next (two thirds of the window)",
    )  # fmt: skip
    group.add_argument(
        "--window-batch", type=int, metavar="N",
        help="windows in one pass (one on a CPU, else as many as have 2048x1024 pixels together)",
    )  # fmt: skip


def read_augmentation(given: argparse.Namespace) -> "Augmentation":
    """What the options mean.

    Raises:
        ConfigError: they make no sense.
    """
    from segda.evaluation.test_time_augmentation import Augmentation

    return Augmentation(
        given.flip,
        tuple(given.scales),
        None if given.window is None else (given.window[0], given.window[1]),
        None if given.stride is None else (given.stride[0], given.stride[1]),
        given.window_batch,
    )


def finished_rows(store: "Store", run: str, wanted: Sequence[str] = ()) -> dict[str, tuple[Path, "Manifest"]]:
    """Row name to the folder and manifest of the stage whose networks it scores.

    Args:
        store: where results lie.
        run: the name of a run, its lock file, or the folder of one finished stage.
        wanted: rows of the run's evaluation or names of stages; all finished rows when empty.

    Raises:
        ArtefactError: no such run or row, or a stage is not finished.
    """
    from segda.artefacts import manifest as manifests
    from segda.config.lookup import nearest
    from segda.errors import ArtefactError

    if (Path(run) / manifests.FILE_NAME).is_file():
        manifest = manifests.verify(Path(run))
        if not _has_head(Path(run)):
            raise ArtefactError(
                f"{run}: a finished {manifest.kind!r} stage without a segmentation network; name a stage that trains "
                "a head, such as supervise or align"
            )
        if any(name != manifest.stage for name in wanted):
            raise ArtefactError(f"{run}: holds stage {manifest.stage!r} alone; leave out --stage, or name the run")
        return {manifest.stage: (Path(run), manifest)}
    store, run = store.locate(run)
    lock = store.read_lock(run)
    folders = {stage: store.root / entry["folder"] for stage, entry in lock["stages"].items() if entry["folder"]}
    choices = {stage: folder for stage, folder in folders.items() if _has_head(folder)}
    offered: dict[str, Path] = {}
    for stage in lock["config"]["stages"].values():
        if stage["kind"] == "evaluate":
            rows = {row: folders.get(reference["from"]) for row, reference in stage["rows"].items()}
            offered.update({row: folder for row, folder in rows.items() if folder and _has_head(folder)})
    offered = offered or choices
    # A stage may be named even if it is no row.
    choices = {**choices, **offered}
    for name in wanted:
        if name not in choices:
            raise ArtefactError(f"{run}: no finished row or stage {name!r}; {nearest(name, choices)}")
    chosen = {name: choices[name] for name in wanted} if wanted else offered
    if not chosen:
        raise ArtefactError(f"{run}: no finished stage with a segmentation network; run it first: segda run {run}")
    return {name: (folder, manifests.verify(folder)) for name, folder in chosen.items()}


def _has_head(folder: Path) -> bool:
    from segda.artefacts import manifest as manifests

    return (folder / manifests.FILE_NAME).is_file() and (folder / "networks" / "head.safetensors").is_file()
