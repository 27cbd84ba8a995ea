"""Print a finished run's table and the path of its report, which the pipeline's `report` stage has written."""

import argparse
from collections.abc import Sequence

from pipelines.commands.arguments import add_runs_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="a run's name or lock file")
    add_runs_argument(parser)


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print the tables of the run's evaluations and the files of its reports."""
    from segda.artefacts import manifest as manifests
    from segda.artefacts.manifest import read_json
    from segda.artefacts.store import Store
    from segda.errors import ArtefactError
    from segda.report.terminal import print_scores
    from segda.terminal.escape import escape

    store, run = Store(args.runs).locate(args.run)
    printed = False
    for entry in store.read_lock(run)["stages"].values():
        folder = store.root / (entry["folder"] or "")
        if entry["kind"] not in ("evaluate", "average", "report") or not (folder / manifests.FILE_NAME).is_file():
            continue
        printed = True
        manifest = manifests.verify(folder, full=entry["kind"] != "report")
        if entry["kind"] != "report":
            print_scores(read_json(folder / "evaluation.json"))
        else:
            pages = [file for file in manifest.outputs if file.endswith(".html")]
            print("\n".join(f"report: {escape(folder / page)}" for page in pages))
    if not printed:
        raise ArtefactError(f"{run}: no finished evaluation or report; run it first: segda run {run}")
    return 0
