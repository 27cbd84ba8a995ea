"""Print a finished run's table and the path of its report, which the pipeline's `report` stage has written."""

import argparse
from collections.abc import Sequence

from pipelines.commands.arguments import add_runs_argument

EXAMPLES = (
    "segda report streets",
    "segda report streets-seed1 --runs ../runs",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="a run's name or lock file")
    add_runs_argument(parser)


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print the tables of the run's evaluations and the files of its reports."""
    from pipelines.running.up_to_date import print_results
    from segda.artefacts import manifest as manifests
    from segda.artefacts.store import Store
    from segda.errors import ArtefactError

    store, run = Store(args.runs).locate(args.run)
    folders = [store.root / (entry["folder"] or "") for entry in store.read_lock(run)["stages"].values()]
    if not print_results(folder for folder in folders if (folder / manifests.FILE_NAME).is_file()):
        raise ArtefactError(f"{run}: no finished evaluation or report; run it first: segda run {run}")
    return 0
