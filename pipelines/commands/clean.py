"""Remove the checkpoints of finished stages, which no resume needs again."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import add_runs_argument

if TYPE_CHECKING:
    from segda.artefacts.store import Store

EXAMPLES = (
    "segda clean streets --dry-run",
    "segda clean --all --runs ../runs",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run's name or lock file")
    parser.add_argument("--all", action="store_true", help="of every result in the folder, whichever run it belongs to")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be removed")
    add_runs_argument(parser)


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print a line for each folder of checkpoints, remove it, and say how much was freed."""
    from segda.artefacts.store import Store
    from segda.errors import ArtefactError, ConfigError
    from segda.terminal.escape import escape

    if (args.run is None) != args.all:
        raise ConfigError("clean: name a run, or give --all for every result in the folder, but not both")
    store, freed = Store(args.runs), 0
    if args.all:
        if not store.root.is_dir():
            raise ArtefactError(f"{store.root}: no such folder; name the folder of results by --runs")
        folders = store.folders()
    else:
        store, name = store.locate(args.run)
        names = [entry["folder"] for entry in store.read_lock(name)["stages"].values() if entry["folder"]]
        folders = [store.root / folder for folder in dict.fromkeys(names)]
    for folder in folders:
        line, count = clean(store, folder, args.dry_run)
        print(escape(f"{folder.name}: {line}"), flush=True)
        freed += count
    verb = "would be freed" if args.dry_run else "freed"
    print(escape(f"{freed / 1e6:.1f} MB {verb} in {store.root}"))
    return 0


def clean(store: "Store", folder: Path, dry_run: bool = False) -> tuple[str, int]:
    """Remove the checkpoints of a finished stage; what was done or why not, and the bytes that it frees.

    Those of unfinished and damaged stages, of stages that another process works in, and behind links stay.

    Raises:
        ArtefactError: they cannot be removed.
    """
    import shutil

    from segda.artefacts import manifest as manifests
    from segda.errors import ArtefactError
    from segda.files import leading_out

    checkpoints = folder / "checkpoints"
    if not checkpoints.is_dir():
        return "no checkpoints", 0
    if leading_out(folder, [checkpoints.name]) is not None:
        return "kept: its checkpoints are a link", 0
    if not (folder / manifests.FILE_NAME).is_file():
        return "kept: not finished", 0
    try:
        manifests.verify(folder)
    except ArtefactError as error:
        return f"kept: damaged ({error})", 0
    size = sum(file.lstat().st_size for file in checkpoints.rglob("*") if not file.is_dir())
    if dry_run:
        return f"checkpoints of {size / 1e6:.1f} MB", size
    claim = store.claim(folder)
    try:
        claim.take()
    except ArtefactError as error:
        if error.__cause__ is not None:  # the lock itself cannot be written
            raise
        return f"kept: {error}", 0
    try:
        shutil.rmtree(checkpoints)
    except OSError as error:
        raise ArtefactError(
            f"{checkpoints}: not all of it removed ({error.strerror}); make it writable, then run the command again"
        ) from error
    finally:
        claim.release()
    return f"checkpoints of {size / 1e6:.1f} MB removed", size
