"""Predict images and videos by a run's networks: colour maps, overlays and class indices as files."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import (
    add_augmentation_arguments,
    add_runs_argument,
    explaining_memory,
    finished_rows,
    read_augmentation,
)

if TYPE_CHECKING:
    from segda.artefacts.manifest import Manifest

KINDS = ("colour", "overlay", "ids")

EXAMPLES = (
    "segda predict streets photographs drive.mp4 -o predictions",
    "segda predict streets image.png -o out --stage feature --kind ids",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "run", metavar="RUN", help="a run's name or lock file, a finished stage's or shared folder, hf-hub:owner/name"
    )
    parser.add_argument("path", nargs="+", type=Path, metavar="PATH", help="images, videos, or folders with subfolders")
    parser.add_argument("-o", "--out", required=True, type=Path, metavar="DIR", help="gets colour/, overlay/ and ids/")
    parser.add_argument(
        "--stage", help="a row of the evaluation or a stage (the last row that was not trained on target labels)"
    )
    parser.add_argument(
        "--kind", action="append", default=[], choices=KINDS, help="write only this; repeatable (all of them)"
    )
    parser.add_argument(
        "--resize", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="the size for the networks (that of training); predictions have the image's own size",
    )  # fmt: skip
    add_runs_argument(parser)
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    add_augmentation_arguments(parser)


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Predict and write."""
    from segda.engine import launcher

    launcher.join(None)  # before torch is imported
    from dataclasses import replace

    from pipelines.networks import load_predictor
    from segda.artefacts.store import Store
    from segda.engine.session import Session
    from segda.errors import ConfigError
    from segda.evaluation import predict, video
    from segda.terminal.progress import ProgressLine

    rows = finished_rows(Store(args.runs), args.run, [args.stage] if args.stage else [])
    name = default_row(rows)
    folder, manifest = rows[name]
    if args.resize is not None and min(args.resize) < 1:
        raise ConfigError(f"--resize: {args.resize}; expected height and width, each at least 1")
    augmentation = read_augmentation(args)
    session = Session(cpu=args.cpu)
    items = predict.find(args.path, args.out, session.print)
    predictor = load_predictor(folder, manifest, session.device)
    resize = (args.resize[0], args.resize[1]) if args.resize else predictor.resize
    predictor = replace(predictor, resize=resize, augmentation=augmentation)
    kinds = [kind for kind in predict.KINDS if not args.kind or kind in args.kind]
    share = items[session.rank :: session.world]
    total = sum(video.describe(item.path)[0] if item.is_video else 1 for item in share)
    with (
        ProgressLine(f"predict {name}", 0, total, "images", show=session.is_main) as line,
        explaining_memory(augmentation),
    ):
        if predictor.pictures.described():
            line.print(f"pictures are read as in training, by {predictor.pictures.described()}")
        if any(item.is_video for item in items) and kinds != ["ids"]:
            line.print(video.format_note())
        predict.write(predictor, share, args.out, kinds, line.update, line.print)
    session.barrier()
    if session.is_main:
        origin = {"stage": folder.name, "row": name, "prediction_rule": augmentation.rule(predictor.task)}
        predict.describe(args.out, predictor.task.space, origin)
    session.print(f"{len(items)} files predicted by {name!r}: {args.out}")
    session.close()
    return 0


def default_row(rows: Mapping[str, tuple[Path, "Manifest"]]) -> str:
    """The row that predicts if none is named: the last one whose networks were not trained on labels of the target."""
    adapted = [
        name for name, (_, manifest) in rows.items() if (manifest.config.get("method") or {}).get("labels") != "target"
    ]
    return (adapted or list(rows))[-1]
