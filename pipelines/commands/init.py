"""Write a commented pipeline for two folders of your own: images with labels, and others without; both are checked."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import Counter

    from segda.data.dataset import Dataset
    from segda.data.layout import Layout
    from segda.data.proposed_classes import Proposal
    from segda.label_space import Labels


_MOST_VALUES = 4096


EXAMPLES = (
    "segda init tour --source rendered --target photographs",
    "segda init tour --source gta5 --target frames --labels cityscapes",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("name", metavar="NAME", help="of the pipeline; NAME.yaml is written, never over a file")
    parser.add_argument(
        "--source", required=True, metavar="DIR", help="folder of images and label images, or a data config"
    )
    parser.add_argument(
        "--target", required=True, metavar="DIR", help="folder of images, or a data config; labels there only score"
    )
    parser.add_argument(
        "--labels", metavar="SPACE", help="label space, or a YAML file of one; proposed from the label images without"
    )
    parser.add_argument(
        "--encoder",
        default="mobilenet_v2",
        help="one of segmentation-models-pytorch's (mobilenet_v2), or small: no download",
    )


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Check both folders and write the pipeline."""
    from pipelines.commands import starting_pipeline as starting
    from pipelines.definition import labels
    from segda import label_space
    from segda.config.loading import find, shipped
    from segda.errors import ConfigError
    from segda.files import write_whole
    from segda.terminal.escape import escape

    file = Path(args.name.removesuffix(".yaml") + ".yaml")
    classes_file = file.with_name(f"{file.stem}_classes.yaml")
    if not re.fullmatch(r"[\w.-]+", file.stem):
        raise ConfigError(f"NAME: {args.name!r}; expected letters, digits, _, . and -, since results are called so")
    for each in (file, classes_file):
        if each.exists():
            raise ConfigError(f"{each}: is there already, and is not written over; name another pipeline, or move it")
    for side, given in (("source", args.source), ("target", args.target)):
        if not Path(given).is_dir():
            try:
                find(given, "data")
            except ConfigError as error:
                raise ConfigError(f"--{side} {given}: no such folder, and {error}") from None
    space = labels.resolved(args.labels, "--labels") if args.labels else None
    entry, proposal = _source(Path(args.source), args, label_space.load(space) if space else None)
    files, named = {}, args.labels
    if space is None:
        assert proposal is not None  # a data config is refused without --labels
        space = named = proposal.space or classes_file.name
        if proposal.space is None:
            files[classes_file] = _classes_text(file.stem, proposal)
            space = labels.resolved(proposal.description, "--labels")
    source = _checked(entry, space, args.source)
    target, scored = _target(args, space)
    files[file] = starting.text(starting.Start(
        file.stem, str(shipped("schema") / "pipelines.json"), named, source, target, scored, args.encoder
    ))  # fmt: skip
    _check_files(files)
    for each, text in files.items():
        write_whole(each, text.encode())
        print(escape(f"written: {each}"))
    print(escape(f"next: read it, then segda run {file} --plan"))
    return 0


def _source(root: Path, args: argparse.Namespace, space: Any) -> "tuple[dict[str, Any], Proposal | None]":
    """The entry of the labelled set, and its classes where a folder's files show them."""
    from segda.data import layout, proposed_classes
    from segda.errors import ConfigError

    if not root.is_dir():
        if space is None:
            raise ConfigError("--labels: missing; where --source is a data config, name the label space, too")
        return {"base": args.source}, None
    found = layout.find_labelled(root)
    pixels, first = _values(root, found)
    proposal = proposed_classes.propose(pixels, first, space)
    print(f"labels: {proposal.why}")
    return {**_entry(root, found), **proposal.options}, proposal


def _entry(root: Path, found: "Layout") -> dict[str, Any]:
    """The data set's entry in a pipeline, without classes."""
    from segda.data.find import PICTURES

    split = {"split": found.splits[0]} if found.splits else {}
    entry: dict[str, Any] = {"name": "folder", "root": str(root.absolute()), **split, "images": found.images}
    if found.images == found.labels or not set(found.image_endings) <= set(PICTURES):
        entry["image_endings"] = list(found.image_endings)
    if found.labels:
        entry |= {"labels": found.labels, "label_endings": list(found.label_endings)}
    return entry


def _values(root: Path, found: "Layout") -> "tuple[Counter[int], Path]":
    """All values of the label images of the split to train on, with their numbers of pixels; and one of the files."""
    from collections import Counter

    import numpy as np

    from segda.data.find import Place, find_labels
    from segda.data.label_values import read_values
    from segda.data.prefetch import in_order
    from segda.errors import DataError
    from segda.terminal.progress import ProgressLine

    images, masks = (
        Place(folder.replace("{split}", (*found.splits, "")[0]), endings)
        for folder, endings in ((found.images, found.image_endings), (found.labels, found.label_endings))
    )
    files = sorted(find_labels(root, masks, images).values())
    pixels: Counter[int] = Counter()
    with ProgressLine("label values", 0, len(files), "images") as line:
        counted = in_order(lambda file: np.unique(read_values(file), return_counts=True), files, workers=2, ahead=8)
        for done, (values, counts) in enumerate(counted, 1):
            pixels.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
            if len(pixels) > _MOST_VALUES:
                raise DataError(
                    f"{files[0]} and its like hold more than {_MOST_VALUES} values, so they are no label images; give "
                    "ids or colours in PNG"
                )
            line.update(done)
    return pixels, files[0]


def _checked(entry: dict[str, Any], space: "Labels", given: str) -> Any:
    """The labelled set as the pipeline's text needs it, after `segda check` has found no problem.

    Raises:
        DataError: it has; they are printed.
    """
    from pipelines.commands.starting_pipeline import Domain
    from segda.data.check import check, render
    from segda.errors import DataError
    from segda.terminal.escape import escape
    from segda.terminal.progress import ProgressLine

    dataset = _opened(entry, space, with_labels=True)
    with ProgressLine("check source", 0, len(dataset), "pairs") as line:
        report = check(dataset, progress=lambda done, _: line.update(done))
    print(render(report), end="\n\n")
    if report.problems:
        raise DataError(
            f"--source {given}: problems found: {len(report.problems)}, listed above; repair these files first"
        )
    return Domain(entry, next(iter(report.sizes)), escape(f"{given}, {report.pairs} labelled images"))


def _target(args: argparse.Namespace, space: "Labels") -> tuple[Any, dict[str, Any] | None]:
    """The unlabelled set as the pipeline's text needs it; and how its labels are read, if it has some that fit."""
    from collections import Counter

    from pipelines.commands.starting_pipeline import Domain
    from segda.data import layout
    from segda.data.prefetch import in_order
    from segda.terminal.escape import escape
    from segda.terminal.progress import ProgressLine

    root = Path(args.target)
    found = layout.find_images(root) if root.is_dir() else None
    entry = _entry(root, found) if found else {"base": args.target}
    dataset = _opened(entry, space, with_labels=False)
    sizes: Counter[tuple[int, int]] = Counter()
    with ProgressLine("check target", 0, len(dataset), "images") as line:
        shapes = in_order(lambda sample: dataset.decode_image(sample.image).shape, dataset.samples, workers=2, ahead=8)
        for done, shape in enumerate(shapes, 1):
            sizes[shape[0], shape[1]] += 1
            line.update(done)
    most = sizes.most_common(1)[0][0]
    print(f"target: {len(dataset)} images, most of them {most[0]}x{most[1]} (height x width)")
    scored, why = _scored(root, found, entry, space) if found and found.labels else (None, "it has no label images")
    said = "its label images score the result, and train nothing" if scored else f"{why}, so nothing is scored"
    print(escape(f"target: {said}"))
    return Domain(entry, most, escape(f"{args.target}, {len(dataset)} images")), scored


def _scored(root: Path, found: "Layout", entry: dict[str, Any], space: "Labels") -> tuple[dict[str, Any] | None, str]:
    """The entry by which the target's labels are read, in a split of their own if there is one; or why not."""
    from dataclasses import replace

    from segda import label_space
    from segda.data import proposed_classes
    from segda.data.check import check
    from segda.errors import ConfigError, DataError

    own = [split for split in found.splits if split not in ("train", "training")]
    scored = {**entry, **({"split": own[0]} if own else {})}
    try:
        proposal = proposed_classes.propose(
            *_values(root, replace(found, splits=(own[0],)) if own else found), label_space.load(space)
        )
        scored |= proposal.options
        problems = check(_opened(scored, space, with_labels=True)).problems
    except (ConfigError, DataError) as error:
        return None, f"its label images do not fit the source's ({error})"
    return (
        (None, f"its label images have problems ({problems[0].kind}: {problems[0].file})") if problems else (scored, "")
    )


def _opened(entry: dict[str, Any], space: "Labels", *, with_labels: bool) -> "Dataset":
    """The data set of an entry, with the files that lack a partner among its problems."""
    from pipelines.definition.components import READER, check_component
    from pipelines.definition.schema import DataConfig
    from pipelines.training.open_data import data_root, open_dataset
    from segda.config.loading import with_base
    from segda.config.validation import validate

    data = validate(DataConfig, with_base(entry, "data", "data set"), "data set")
    check_component("segda.data.readers", data, "data set", READER)
    return open_dataset(data, space, data_root(data), with_labels, strict=False)


def _classes_text(name: str, proposal: "Proposal") -> str:
    """The YAML of classes of one's own."""
    from pipelines.commands.starting_pipeline import flow

    lines = [
        f"# The classes of {name}: {proposal.why}.",
        "# Rename them before the first training, since a result depends on their names; in `palette`, too, if it is",
        "# there. Several values may have one name. What neither trains nor scores goes into `ignore`, or if it is a",
        "# colour into `ignore_colours`.",
    ]
    for key, value in proposal.description.items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {each}: {flow(given)}" for each, given in value.items())]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


def _check_files(files: dict[Path, str]) -> None:
    """Load the pipeline from a folder of its own, as a run does."""
    import tempfile

    from pipelines.definition import loading

    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            (Path(folder) / file.name).write_text(text, encoding="utf-8")
        loading.load(str(Path(folder) / list(files)[-1].name))
