"""Say which networks of a run criteria without target labels would pick, and with --oracle what labels would."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="a run's name or lock file, or a finished stage's folder")
    parser.add_argument("--target", required=True, metavar="DATA", help="the target's data config; no label is opened")
    parser.add_argument("--source", metavar="DATA", help="the source's data config, for the weighted source risks")
    for domain in ("source", "target"):
        parser.add_argument(f"--{domain}-root", metavar="PATH", help="its folder, in place of the config's")
        parser.add_argument(f"--{domain}-split", metavar="SPLIT", help="its split, in place of the config's")
    parser.add_argument("--stage", action="append", default=[], help="a row of the evaluation or a stage; repeatable")
    parser.add_argument("--checkpoints", action="store_true", help="score the checkpoints that are on disk, too")
    parser.add_argument("--count", type=int, default=500, metavar="N", help="images of each domain at most (500)")
    parser.add_argument("--pixels", type=int, default=16, metavar="N", help="predictions drawn from a label map (16)")
    parser.add_argument("--seed", type=int, default=0, help="of that draw and of the domain classifier")
    parser.add_argument("--oracle", action="store_true", help="open the target's labels, too, and say what they pick")
    parser.add_argument("--save", type=Path, metavar="FILE", help="in place of RUN.selection.json in --runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Score the candidates, write the selection and print it."""
    import json

    import torch

    from pipelines.commands.arguments import finished_rows, read_data
    from pipelines.scoring import selection
    from segda.artefacts.manifest import write_json
    from segda.artefacts.store import Store
    from segda.errors import ConfigError

    for name, least in (("count", 16), ("pixels", 1)):
        if getattr(given, name) < least:
            raise ConfigError(f"--{name}: {getattr(given, name)}; expected at least {least}")
    if given.source is None and (given.source_root or given.source_split):
        raise ConfigError("--source: missing, but its root or split is given; name the source's data config")
    store = Store(given.runs)
    rows = finished_rows(store, given.run, given.stage)
    target = read_data(given.target, given.target_root, given.target_split)
    source = read_data(given.source, given.source_root, given.source_split) if given.source else None
    device = torch.device("cuda" if torch.cuda.is_available() and not given.cpu else "cpu")
    settings = selection.Settings(given.count, given.pixels, given.seed, given.oracle)
    found = selection.select(selection.candidates(rows, given.checkpoints), target, source, settings, device)
    file = given.save or place_of(store, given.run)
    write_json(file, found)
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)
        print(f"selection: {file}")
    return 0


def place_of(store: Any, run: str) -> Path:
    """Where the selection of a run lies: beside its lock file, or beside the folder of a stage; in neither of them."""
    from pipelines.scoring.selection import ENDING
    from segda.artefacts import manifest as manifests

    if (Path(run) / manifests.FILE_NAME).is_file():
        folder = Path(run).resolve()
        return folder.with_name(f"{folder.name}{ENDING}")
    found, name = store.locate(run)
    return Path(found.root) / f"{name}{ENDING}"


def show(found: dict[str, Any]) -> None:
    """Print a line a candidate and a column a criterion; a star is where it picks."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from segda.terminal.escape import escape

    picks, oracle = found["picks"], found["oracle"]
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    grid.add_column("row", overflow="fold")
    for name in picks:
        grid.add_column(Text(escape(name)), justify="right", overflow="fold")
    if oracle:
        grid.add_column(Text(escape(f"{oracle['measure']} (target labels)")), justify="right", overflow="fold")
    for name, candidate in found["candidates"].items():
        cells = [_starred(candidate["scores"][key], pick["candidate"] == name) for key, pick in picks.items()]
        if oracle:
            cells.append(_starred(oracle["scores"][name], oracle["candidate"] == name))
        called = f"{name} (oracle)" if candidate["trained_on_target_labels"] else name
        grid.add_row(Text(escape(called)), *cells)
    console = Console()
    console.print(grid)
    console.print()
    for name, pick in picks.items():
        order = "largest" if pick["larger_is_better"] else "smallest"
        told = f"* {name} picks {pick['candidate']!r}, the {order}: {pick['published']}"
        console.print(Text(escape(told), style="dim"))
    if any(candidate["trained_on_target_labels"] for candidate in found["candidates"].values()):
        console.print(Text("(oracle): trained on labels of the target, so never picked", style="dim"))
    if oracle:
        console.print(Text(
            f"* labels of the target pick {escape(oracle['candidate'])!r}: an oracle, no result may be selected "
            "by it", style="bold",
        ))  # fmt: skip


def _starred(value: float, picked: bool) -> str:
    return f"{value:.3g} *" if picked else f"{value:.3g}  "
