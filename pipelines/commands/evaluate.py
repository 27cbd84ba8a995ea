"""Score the finished networks of a run on any labelled split, without training."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import add_augmentation_arguments, read_augmentation

if TYPE_CHECKING:
    from pipelines.definition.schema import DataConfig
    from segda.artefacts.manifest import Manifest
    from segda.engine.session import Session
    from segda.evaluation.test_time_augmentation import Augmentation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="a run's name or lock file, or a finished stage's folder")
    parser.add_argument("--data", required=True, metavar="NAME", help="a data config, or the path of a .yaml file")
    parser.add_argument("--split", help="the split, in place of the config's")
    parser.add_argument("--root", metavar="PATH", help="the data set's folder, in place of the config's")
    parser.add_argument("--stage", action="append", default=[], help="a row of the evaluation or a stage; repeatable")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--boundary", action="store_true", help="score the borders of the classes, too")
    parser.add_argument(
        "--format-submission", type=Path, metavar="DIR",
        help="score nothing; write label-id PNGs for the Cityscapes server, which needs no labels",
    )  # fmt: skip
    add_augmentation_arguments(parser)


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Score every row and print the table."""
    import json

    from pipelines.commands.arguments import finished_rows, read_data
    from pipelines.scoring.score import score
    from pipelines.training.unreadable_files import open_now
    from segda.artefacts.store import Store
    from segda.engine.session import Session
    from segda.report.terminal import print_scores

    rows = finished_rows(Store(given.runs), given.run, given.stage)
    data = read_data(given.data, given.root, given.split)
    how = read_augmentation(given)
    session = Session(cpu=given.cpu)
    if given.format_submission is not None:
        write_submission(rows, data, how, given.format_submission, session)
        session.close()
        return 0
    scored, opened = {}, {}
    for name, (folder, manifest) in rows.items():
        labels = manifest.config["task"]["labels"]
        if labels not in opened:
            opened[labels] = open_now(data, labels, True)
        scored[name] = score(
            folder, manifest, opened[labels], data.resize, data.split, session, inference=how, boundary=given.boundary
        )
    if session.is_main:
        if given.json:
            print(json.dumps({name: row.to_json() for name, row in scored.items()}, indent=1))
        else:
            print_scores({name: row.to_json() for name, row in scored.items()})
    session.close()
    return 0


def write_submission(
    rows: Mapping[str, tuple[Path, "Manifest"]],
    data: "DataConfig",
    how: "Augmentation",
    folder: Path,
    session: "Session",
) -> None:
    """Write the predictions of a row's networks as the Cityscapes server wants them; labels are not opened.

    Raises:
        ConfigError: there are several rows, of which one must be named, or their classes are not Cityscapes'.
        DataError: an image is not named as Cityscapes names them, or the folder holds other predictions.
    """
    from pipelines.definition.schema import ComponentConfig
    from pipelines.networks import build_task, load_networks, working_size
    from pipelines.training.unreadable_files import open_now
    from segda.errors import ConfigError
    from segda.evaluation.cityscapes_submission import write
    from segda.terminal.progress import ProgressLine

    if len(rows) > 1:
        raise ConfigError(f"--format-submission: one prediction an image; name one --stage of {', '.join(rows)}")
    name, (stage, manifest) = next(iter(rows.items()))
    dataset = open_now(data, manifest.config["task"]["labels"], False)
    networks = load_networks(stage, manifest.config, ("encoder", "head"), session.device)
    share = len(range(session.rank, len(dataset), session.world))
    with ProgressLine(name, 0, share, "images", show=session.is_main) as line:
        write(
            networks, dataset, build_task(ComponentConfig(**manifest.config["task"])), folder,
            resize=data.resize or working_size(manifest), inference=how, device=session.device,
            rank=session.rank, world=session.world, progress=lambda done, total: line.update(done),
        )  # fmt: skip
    session.barrier()
    session.print(f"{len(dataset)} label-id images of {name!r}: {folder}")
