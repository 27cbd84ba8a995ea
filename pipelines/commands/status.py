"""Show the runs in a folder, and what of each is finished."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's name or lock file, or a folder of runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--verify", action="store_true", help="read every output and compare it with its manifest")


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Print one line a stage; 1 when `--verify` found damage."""
    from segda.artefacts.store import Store
    from segda.terminal.escape import escape
    from segda.terminal.table import to_lines

    folder = Path(given.run) if given.run and Path(given.run).is_dir() else given.runs
    store = Store(folder)
    if given.run is None or folder == Path(given.run):
        names = store.runs()
    else:
        store, name = store.locate(given.run)
        names = [name]
    if not names:
        print(_without_runs(store))
        return 0
    damaged = False
    for name in names:
        print(escape(name))
        rows = [_row(store, stage, entry, given.verify) for stage, entry in store.read_lock(name)["stages"].items()]
        damaged |= any(row[1].startswith("damaged") for row in rows)
        print("\n".join(to_lines(rows, indent="  ")))
    return 1 if damaged else 0


def _without_runs(store: object) -> str:
    """What to say of a folder in which no run has a lock file."""
    from segda.artefacts.store import Store

    assert isinstance(store, Store)
    results = store.results()
    if not results:
        return f"no runs in {store.root}; start one with: segda run NAME"
    there = "one result" if results == 1 else f"{results} results"
    return f"{there} in {store.root}, but no run's lock file; the run writes it again: segda run NAME"


def _row(store: object, stage: str, entry: dict[str, str | None], verify: bool) -> tuple[str, str, str]:
    """Stage, state and folder, as they are now."""
    from segda.artefacts import manifest as manifests
    from segda.artefacts.store import STAGE_FILE, Store
    from segda.errors import ArtefactError

    assert isinstance(store, Store)
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
