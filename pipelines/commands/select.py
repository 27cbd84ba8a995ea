"""Pick networks of a run by criteria without target labels, and with --oracle by labels for comparison."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.commands.arguments import add_domain_arguments, add_rows_arguments, device, finished_rows, read_domain

if TYPE_CHECKING:
    from segda.artefacts.store import Store

EXAMPLES = (
    "segda select gta5_to_cityscapes --target cityscapes",
    "segda select streets --target cityscapes --source gta5 --checkpoints",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    add_rows_arguments(parser)
    add_domain_arguments(parser, "target", required=True, text="the target's data config; no label is opened")
    add_domain_arguments(
        parser, "source", required=False, text="the source's data config, for the weighted source risks"
    )
    parser.add_argument("--checkpoints", action="store_true", help="score the checkpoints that are on disk, too")
    parser.add_argument("--count", type=int, default=500, metavar="N", help="images of each domain at most (500)")
    parser.add_argument("--pixels", type=int, default=16, metavar="N", help="predictions drawn from a label map (16)")
    parser.add_argument("--seed", type=int, default=0, help="of that draw and of the domain classifier")
    parser.add_argument("--oracle", action="store_true", help="open the target's labels, too, and print what they pick")
    parser.add_argument("--save", type=Path, metavar="FILE", help="instead of RUN.selection.json in --runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Score the candidates, write the selection and print it."""
    import json

    from pipelines.scoring import selection
    from segda.artefacts.manifest import write_json
    from segda.artefacts.store import Store
    from segda.errors import ConfigError

    for name, least in (("count", 16), ("pixels", 1)):
        if getattr(args, name) < least:
            raise ConfigError(f"--{name}: {getattr(args, name)}; expected at least {least}")
    if args.source is None and (args.source_root or args.source_split):
        raise ConfigError("--source: missing, but its root or split is given; name the source's data config")
    store = Store(args.runs)
    rows = finished_rows(store, args.run, args.stage)
    target, source = read_domain(args, "target"), read_domain(args, "source")
    assert target is not None  # it is required
    settings = selection.Settings(args.count, args.pixels, args.seed, args.oracle)
    candidates = selection.candidates(rows, args.checkpoints)
    content = selection.select(candidates, target, source, settings, device(args))
    file = args.save or selection_file(store, args.run)
    if args.json:
        print(json.dumps(content, indent=1))
    else:
        show(content)
    write_json(file, content)  # after it is shown: results may lie on a disk that cannot be written
    if not args.json:
        print(f"selection: {file}")
    return 0


def selection_file(store: "Store", run: str) -> Path:
    """The file for the selection of a run, next to its lock file; or of a stage, next to its folder."""
    from pipelines.scoring.selection import ENDING
    from segda.artefacts import manifest as manifests

    if (Path(run) / manifests.FILE_NAME).is_file():
        folder = Path(run).resolve()
        return folder.with_name(f"{folder.name}{ENDING}")
    store, name = store.locate(run)
    return store.root / f"{name}{ENDING}"


def show(content: dict[str, Any]) -> None:
    """Print a line for each candidate and a column for each criterion; a star marks its pick."""
    from rich.console import Console
    from rich.text import Text

    from segda.terminal.escape import escape
    from segda.terminal.table import ruled

    picks, oracle = content["picks"], content["oracle"]
    titles = [*picks, *([f"{oracle['measure']} (target labels)"] if oracle else [])]
    grid = ruled()
    grid.add_column("row", overflow="fold")
    for title in titles:
        grid.add_column(Text(escape(title)), justify="right", overflow="fold")
    for name, candidate in content["candidates"].items():
        cells = [_starred(candidate["scores"][key], pick["candidate"] == name) for key, pick in picks.items()]
        if oracle:
            cells.append(_starred(oracle["scores"][name], oracle["candidate"] == name))
        label = f"{name} (oracle)" if candidate["trained_on_target_labels"] else name
        grid.add_row(Text(escape(label)), *cells)
    console = Console()
    console.print(grid)
    console.print()
    for name, pick in picks.items():
        order = "largest" if pick["larger_is_better"] else "smallest"
        note = f"* {name} picks {pick['candidate']!r}, the {order}: {pick['published']}"
        console.print(Text(escape(note), style="dim"))
    if any(candidate["trained_on_target_labels"] for candidate in content["candidates"].values()):
        console.print(Text("(oracle): trained on labels of the target, so never picked", style="dim"))
    if oracle:
        console.print(Text(
            f"* labels of the target pick {escape(oracle['candidate'])!r}: an oracle, no result may be selected "
            "by it", style="bold",
        ))  # fmt: skip


def _starred(value: float, picked: bool) -> str:
    return f"{value:.3g} *" if picked else f"{value:.3g}  "
