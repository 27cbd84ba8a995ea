"""Run a pipeline: what is finished is skipped, what was interrupted goes on.

Heavy imports stand inside `execute`, so that `--help` is quick.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("name", metavar="NAME", help="a shipped pipeline, or the path of a .yaml file")
    parser.add_argument("--plan", action="store_true", help="show what would run, and run nothing")
    parser.add_argument("--estimate", action="store_true", help="the same, with the memory and disk it takes")
    parser.add_argument("--only", action="append", default=[], metavar="STAGE", help="run this stage alone; repeatable")
    parser.add_argument(
        "--force", nargs="?", const="all", action="append", default=[], metavar="STAGE",
        help="run this stage (or, without STAGE, all) anew, with all that build on it; old folders are kept aside",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="A.B=VALUE", help="change the config; repeatable"
    )
    parser.add_argument("--seed", type=int, help="short for --set seed=…")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--wait", action="store_true", help="wait for another run that works on the same, not refuse")
    parser.add_argument("--ignore-space", action="store_true", help="begin although the disk looks too small for it")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="start N processes on this machine")
    parser.add_argument("--workers", type=int, metavar="N", help="data loading processes of each process")
    parser.add_argument("--fit-memory", action="store_true", help="as many micro-batches a step as memory asks for")
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    precisions = ("auto", "no", "fp16", "bf16")
    parser.add_argument("--mixed-precision", choices=precisions, help="auto: bf16 on GPUs that have it")


def _settings(given: argparse.Namespace) -> list[str]:
    """The `--set` settings, with those that have an option of their own."""
    settings = list(given.settings)
    if given.workers is not None:
        settings.append(f"runtime.workers={given.workers}")
    if given.fit_memory:
        settings.append("runtime.fit_memory=true")
    if given.cpu:
        settings.append("runtime.cpu=true")
    if given.mixed_precision is not None:
        settings.append(f"runtime.mixed_precision={given.mixed_precision}")
    return settings


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Plan or run, here or in several processes; returns the exit code."""
    from pipelines import launch

    if given.processes != 1 and not (given.plan or given.estimate) and not launch.is_worker():
        return launch.start(given.processes, words, cpu=given.cpu, debug=given.debug)

    from pipelines import pipeline as pipelines
    from segda.artefacts.store import Store

    loaded = pipelines.load(given.name, _settings(given), given.seed)
    store = Store(given.runs)
    if given.plan or given.estimate:
        from pipelines import plan

        planned = plan.make(loaded, store, given.only, given.force)
        plan.show(planned, f"{loaded.name}, results in {given.runs}")
        if given.estimate:
            from pipelines import estimate

            print("\n".join(estimate.lines(loaded, planned, given.runs)))
        print("The code itself is not part of a key: after changing code, use --force or raise the stage's VERSION.")
        return 0

    from pipelines.execution import run_pipeline
    from segda.engine.session import Session

    session = Session(loaded.runtime.mixed_precision, loaded.runtime.cpu)
    run_pipeline(loaded, store, session, given.only, given.force, given.wait, given.ignore_space)
    session.close()
    return 0
