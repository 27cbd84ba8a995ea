"""Print the runs in a folder, and the state of their stages."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import add_runs_argument

if TYPE_CHECKING:
    from segda.artefacts.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's name or lock file, or a folder of runs")
    add_runs_argument(parser)
    parser.add_argument("--verify", action="store_true", help="read every output and compare it with its manifest")


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print one line a stage; 1 when `--verify` found damage."""
    from segda.artefacts.store import Store
    from segda.terminal.escape import escape
    from segda.terminal.table import to_lines

    folder = Path(args.run) if args.run and Path(args.run).is_dir() else args.runs
    store = Store(folder)
    if args.run is None or folder == Path(args.run):
        names = store.runs()
    else:
        store, name = store.locate(args.run)
        names = [name]
    if not names:
        print(_without_runs(store))
        return 0
    damaged = False
    for name in names:
        print(escape(name))
        rows = [_row(store, stage, entry, args.verify) for stage, entry in store.read_lock(name)["stages"].items()]
        damaged |= any(row[1].startswith("damaged") for row in rows)
        print("\n".join(to_lines(rows, indent="  ")))
    return 1 if damaged else 0


def _without_runs(store: "Store") -> str:
    """The message for a folder without any run's lock file."""
    results = len(store.results())
    if not results:
        return f"no runs in {store.root}; start one with: segda run NAME"
    count = "one result" if results == 1 else f"{results} results"
    return f"{count} in {store.root}, but no run's lock file; the run writes it again: segda run NAME"


def _row(store: "Store", stage: str, entry: dict[str, str | None], verify: bool) -> tuple[str, str, str]:
    """Stage, state and folder, as they are now."""
    from segda.artefacts import manifest as manifests
    from segda.artefacts.store import STAGE_FILE
    from segda.errors import ArtefactError

    if not entry["folder"]:
        return stage, "data missing", "-"
    folder = store.root / entry["folder"]
    if (folder / manifests.FILE_NAME).is_file():
        try:
            seconds = manifests.verify(folder, full=verify).provenance.get("seconds", 0)
        except ArtefactError as error:
            return stage, f"damaged: {error}", str(folder)
        return stage, f"done in {seconds:.0f} s" if isinstance(seconds, int | float) else "done", str(folder)
    if (folder / STAGE_FILE).is_file():
        steps = sorted(path.name for path in (folder / "checkpoints").glob("step-*"))
        return stage, f"unfinished, {steps[-1] if steps else 'no checkpoint yet'}", str(folder)
    return stage, "not begun", str(folder)
