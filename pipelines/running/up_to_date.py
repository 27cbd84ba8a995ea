"""A run that finds all of its stages finished: it says so and ends, without torch and without other processes."""

import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pipelines.definition.pipeline import Pipeline
from pipelines.planning.plan import Planner, StagePlan
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import read_json
from segda.terminal.escape import escape

UNPROFILED = "runtime.profile: no training is left to be profiled; --force STAGE runs one anew"


def report_if_up_to_date(planner: Planner, wait: bool = False) -> bool:
    """Print a line a stage and write the run's lock file, as a run does; nothing of it where there is work to do.

    On a disk that cannot be written, the lines alone.

    Another run of this name is refused, or waited for with `wait`. Returns whether there was nothing to do.

    Raises:
        SegdaError: results are damaged, or another run of this name is at work.
    """
    pipeline, store, plan = planner.pipeline, planner.store, planner.plan()
    if any(planned.state not in ("done", "left out") for planned in plan):
        return False
    writable = os.access(store.root, os.W_OK)  # results may lie on a disk that cannot be written
    with store.claim_run(pipeline.name, wait) if writable else nullcontext():
        if writable:
            store.write_lock(pipeline.name, lock(pipeline, plan, set()))
        for number, planned in enumerate(plan, 1):
            if planned.state == "done" and planned.folder is not None:
                if writable:
                    store.clear_claim(planned.folder)
                print(escape(line(plan, number)), flush=True)
        if pipeline.runtime.profile:
            print(UNPROFILED, flush=True)
        print("nothing to do", flush=True)
    print_results([planned.folder for planned in plan if planned.state == "done" and planned.folder is not None])
    return True


def print_results(folders: Iterable[Path]) -> bool:
    """Print the tables of the evaluations among some finished stages, and the places of the reports.

    Returns:
        Whether there is one.

    Raises:
        ArtefactError: one of them is damaged.
    """
    from segda.report.terminal import print_scores  # a run with much to do does without its import

    printed = False
    for folder in folders:
        manifest = manifests.load(folder)
        if manifest.kind not in ("evaluate", "average", "report"):
            continue
        printed = True
        manifests.verify(folder, full=manifest.kind != "report")
        if manifest.kind != "report":
            print_scores(read_json(folder / "evaluation.json"))
        for page in manifest.outputs if manifest.kind == "report" else ():
            if page.endswith(".html"):
                print(f"report: {escape(folder / page)}")
    return printed


def line(plan: Sequence[StagePlan], number: int) -> str:
    """What a run prints of a stage that is done, the `number`th of a plan, from 1."""
    return f"[{number}/{len(plan)}] {plan[number - 1].stage}: done, {plan[number - 1].folder}"


def lock(pipeline: Pipeline, plan: Sequence[StagePlan], done: set[str]) -> dict[str, Any]:
    """What a run's lock file says: which folder holds which stage, and the config; `done` are stages of this run."""
    stages = {
        planned.stage: {
            "kind": planned.kind,
            "folder": planned.folder.name if planned.folder else None,
            "key": planned.key,
            "state": "done" if planned.stage in done else planned.state,
        }
        for planned in plan
    }
    return {"schema": manifests.SCHEMA, "run": pipeline.name, "stages": stages, "config": pipeline.raw}
