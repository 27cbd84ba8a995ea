"""Print the runs in a folder, the state of their stages, and results that belong to no run."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import add_runs_argument

if TYPE_CHECKING:
    from segda.artefacts.store import Store

EXAMPLES = (
    "segda status",
    "segda status streets --watch",
    "segda status --verify --runs ../runs",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's name or lock file, or a folder of runs")
    add_runs_argument(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--verify", action="store_true", help="read every output and compare it with its manifest")
    group.add_argument(
        "--watch", nargs="?", type=_seconds, const=2.0, metavar="SECONDS",
        help="show the runs at work, anew every so many seconds (2), until they end",
    )  # fmt: skip


def _seconds(text: str) -> float:
    """Seconds between two looks.

    Raises:
        ArgumentTypeError: the text is something else, such as the run.
    """
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected seconds; a run's name comes first: segda status {text} --watch"
        ) from None
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"found {text}, expected seconds above 0")
    return seconds


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print one line a stage; 1 when `--verify` found damage."""
    from segda.artefacts.store import Store
    from segda.errors import ArtefactError
    from segda.terminal.escape import escape
    from segda.terminal.table import to_lines

    folder = Path(args.run) if args.run and Path(args.run).is_dir() else args.runs
    store, names = Store(folder), []
    whole = args.run is None or folder == Path(args.run)
    if whole:
        names = store.runs()
        if not names:
            print(_without_runs(store))
    else:
        store, name = store.locate(args.run)
        names = [name]
    if args.watch is not None:
        return _watch(store, names, whole, args.watch)
    damaged, known = False, set[str]()
    for name in names:
        try:
            stages = store.read_lock(name)["stages"]
        except ArtefactError as error:
            if not whole:
                raise
            damaged = True
            print(f"{escape(name)}: {escape(error)}")
            continue
        print(escape(name))
        known |= {entry["folder"] for entry in stages.values()}
        rows = [_row(store, stage, entry["folder"], args.verify) for stage, entry in stages.items()]
        damaged |= any(row[1].startswith("damaged") for row in rows)
        print("\n".join(to_lines(rows, indent="  ")))
    others = _others(store, known, args.verify) if whole else []
    if others:
        print("in no run (of earlier configs, replaced, or shared packs)")
        print("\n".join(to_lines(others, indent="  ")))
    return 1 if damaged or any(row[1].startswith("damaged") for row in others) else 0


def _watch(store: "Store", names: Sequence[str], whole: bool, seconds: float) -> int:
    """Watch the named run, or all that are at work."""
    from pipelines.running import watch

    if whole:
        names = [name for name in names if store.claim_run(name).is_held()]
        if not names:
            print(f"no process works on a run in {store.root}")
    try:
        if names:
            watch.watch(store, names, seconds)
    except KeyboardInterrupt:  # the usual end of looking on
        print()
    return 0


def _without_runs(store: "Store") -> str:
    """The message for a folder without any run's lock file."""
    results = len(store.folders())
    if not results:
        return f"no runs in {store.root}; start one with: segda run NAME"
    count = "one result" if results == 1 else f"{results} results"
    return f"{count} in {store.root}, but no run's lock file; the run writes it again: segda run NAME"


def _others(store: "Store", known: set[str], verify: bool) -> list[tuple[str, str, str]]:
    """A row for each result that belongs to none of the runs, for each that was replaced, and for each pack."""
    rows = [_row(store, _stage_of(path), path.name, verify) for path in store.folders() if path.name not in known]
    for path in store.replaced():
        stage, state, folder = _row(store, _stage_of(path), path.name, verify)
        rows.append((stage, state if state.startswith("damaged") else f"replaced, {state}", folder))
    packs = sorted(path for path in (store.root / "packs").glob("*") if path.is_dir())
    return rows + [("pack", "unfinished" if path.suffix == ".partial" else "done", str(path)) for path in packs]


def _stage_of(folder: Path) -> str:
    """The name of the stage that a folder was begun for."""
    from segda.artefacts.manifest import read_json
    from segda.artefacts.store import STAGE_FILE
    from segda.errors import ArtefactError

    try:
        return str(read_json(folder / STAGE_FILE).get("stage", "-"))
    except ArtefactError:
        return "-"


def _row(store: "Store", stage: str, name: str | None, verify: bool) -> tuple[str, str, str]:
    """Stage, state and folder, as they are now."""
    from segda.artefacts import manifest as manifests
    from segda.artefacts.store import STAGE_FILE
    from segda.errors import ArtefactError

    if not name:
        return stage, "data missing", "-"
    folder = store.root / name
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
