"""Show what a run's networks see in pictures and videos: colour maps, overlays and class indices as files."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import add_augmentation_arguments, read_augmentation

if TYPE_CHECKING:
    from segda.artefacts.manifest import Manifest

KINDS = ("colour", "overlay", "ids")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="a run's name or lock file, or a finished stage's folder")
    parser.add_argument(
        "path", nargs="+", type=Path, metavar="PATH", help="pictures, videos, or folders of them with all below"
    )
    parser.add_argument(
        "-o", "--out", required=True, type=Path, metavar="DIR", help="where colour/, overlay/ and ids/ are written"
    )
    parser.add_argument(
        "--stage", help="a row of the evaluation or a stage (the last row that was not trained on target labels)"
    )
    parser.add_argument(
        "--kind", action="append", default=[], choices=KINDS, help="write this alone; repeatable (all of them)"
    )
    parser.add_argument(
        "--resize", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="what the networks see (the size that they were trained at); answers have the picture's own size",
    )  # fmt: skip
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    add_augmentation_arguments(parser)


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Predict and write."""
    from pipelines.commands.arguments import finished_rows
    from pipelines.definition.schema import ComponentConfig
    from pipelines.networks import build_task, load_networks, working_size
    from segda.artefacts.store import Store
    from segda.engine.session import Session
    from segda.errors import ConfigError
    from segda.evaluation import predict, video
    from segda.terminal.progress import ProgressLine

    rows = finished_rows(Store(given.runs), given.run, [given.stage] if given.stage else [])
    name = chosen(rows)
    folder, manifest = rows[name]
    if given.resize is not None and min(given.resize) < 1:
        raise ConfigError(f"--resize: {given.resize}; expected height and width, each at least 1")
    how = read_augmentation(given)
    items = predict.find(given.path, given.out)
    session = Session(cpu=given.cpu)
    task = build_task(ComponentConfig(**manifest.config["task"]))
    prediction = predict.Prediction(
        load_networks(folder, manifest.config, ("encoder", "head"), session.device),
        task,
        [kind for kind in predict.KINDS if not given.kind or kind in given.kind],
        (given.resize[0], given.resize[1]) if given.resize else working_size(manifest),
        how,
        session.device,
    )
    share = items[session.rank :: session.world]
    total = sum(video.describe(item.path)[0] if item.is_video else 1 for item in share)
    with ProgressLine(f"predict {name}", 0, total, "images", show=session.is_main) as line:
        prediction.write(share, given.out, line.update)
    session.barrier()
    if session.is_main:
        predict.describe(given.out, task.space, {"stage": folder.name, "row": name, "prediction_rule": how.rule(task)})
    session.print(f"{len(items)} files predicted by {name!r}: {given.out}")
    session.close()
    return 0


def chosen(rows: Mapping[str, tuple[Path, "Manifest"]]) -> str:
    """The row that stands for a run: the last one whose networks were not trained on labels of the target."""
    adapted = [
        name for name, (_, manifest) in rows.items() if (manifest.config.get("method") or {}).get("labels") != "target"
    ]
    return (adapted or list(rows))[-1]
