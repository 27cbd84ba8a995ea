"""Score the finished networks of a run on any labelled split, without training."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import (
    add_augmentation_arguments,
    add_rows_arguments,
    explaining_memory,
    finished_rows,
    read_augmentation,
    read_data,
)

if TYPE_CHECKING:
    from pipelines.definition.schema import DataConfig
    from segda.artefacts.manifest import Manifest
    from segda.engine.session import Session
    from segda.evaluation.test_time_augmentation import Augmentation

EXAMPLES = (
    "segda evaluate gta5_to_cityscapes --data cityscapes --split val",
    "segda evaluate streets --stage feature --data cityscapes --window 512 1024",
    "segda evaluate streets --stage feature --data acdc --format-submission out",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    add_rows_arguments(parser)
    parser.add_argument("--data", required=True, metavar="NAME", help="a data config, or the path of a .yaml file")
    parser.add_argument("--split", help="the split, instead of the config's")
    parser.add_argument("--root", metavar="PATH", help="the data set's folder, instead of the config's")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--boundary", action="store_true", help="score the borders of the classes, too")
    parser.add_argument(
        "--format-submission", type=Path, metavar="DIR",
        help="score nothing; write id PNGs for the servers of Cityscapes, ACDC or Dark Zurich, which needs no labels",
    )  # fmt: skip
    add_augmentation_arguments(parser)


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Score every row and print the table."""
    from segda.engine import launcher

    launcher.join(None)  # before torch is imported
    import json

    from pipelines.scoring.score import score_rows
    from segda.artefacts.store import Store
    from segda.engine.session import Session
    from segda.report.terminal import print_scores

    rows = finished_rows(Store(args.runs), args.run, args.stage)
    data = read_data(args.data, args.root, args.split)
    augmentation = read_augmentation(args)
    session = Session(cpu=args.cpu)
    if args.format_submission is not None:
        write_submission(rows, data, augmentation, args.format_submission, session)
        session.close()
        return 0
    with explaining_memory(augmentation):
        scored = score_rows(rows, data, session, augmentation=augmentation, boundary=args.boundary)
    scores = {name: evaluation.to_json() for name, evaluation in scored.items()}
    if session.is_main and args.json:
        print(json.dumps(scores, indent=1))
    elif session.is_main:
        print_scores(scores)
    session.close()
    return 0


def write_submission(
    rows: "Mapping[str, tuple[Path, Manifest]]",
    data: "DataConfig",
    augmentation: "Augmentation",
    folder: Path,
    session: "Session",
) -> None:
    """Write the predictions of a row's networks in the format of the data set's server; labels are not opened.

    Raises:
        ConfigError: there are several rows, of which one must be named, or their classes are not Cityscapes'.
        DataError: an image is not named as in the data set, or the folder holds other predictions.
    """
    from dataclasses import replace

    from pipelines.networks import load_predictor
    from pipelines.training.unreadable_files import open_readable
    from segda.errors import ConfigError
    from segda.evaluation.submission import write
    from segda.terminal.progress import ProgressLine

    if len(rows) > 1:
        raise ConfigError(f"--format-submission: one prediction an image; name one --stage of {', '.join(rows)}")
    name, (stage, manifest) = next(iter(rows.items()))
    dataset = open_readable(data, manifest.config["task"]["labels"], False)
    predictor = load_predictor(stage, manifest, session.device)
    predictor = replace(predictor, resize=data.resize or predictor.resize, augmentation=augmentation)
    share = len(range(session.rank, len(dataset), session.world))
    with ProgressLine(name, 0, share, "images", show=session.is_main) as line, explaining_memory(augmentation):
        write(predictor, dataset, folder, rank=session.rank, world=session.world, progress=line.update)
    session.barrier()
    session.print(f"{len(dataset)} label-id images of {name!r}: {folder}")
