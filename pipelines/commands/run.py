"""Run a pipeline: what is finished is skipped, what was interrupted goes on.

Heavy imports stand inside `execute`, so that `--help` is quick.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.running import launch

if TYPE_CHECKING:
    from pipelines.definition.pipeline import Pipeline
    from pipelines.running.reproduce import Recorded
    from segda.artefacts.store import Store
    from segda.engine.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a shipped pipeline, or the path of a .yaml file")
    parser.add_argument(
        "--from-manifest", type=Path, metavar="PATH",
        help="in place of NAME: make a recorded result again in --runs and compare; a manifest.json or RUN.lock.json",
    )  # fmt: skip
    parser.add_argument("--plan", action="store_true", help="show what would run, and run nothing")
    parser.add_argument("--estimate", action="store_true", help="the same, with the memory and disk it takes")
    parser.add_argument("--memory", metavar="SIZE", help="with --plan: the largest crops that fit into 11GB, say")
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
    parser.add_argument("--pack", action="store_true", help="train from packs, made first: see segda pack")
    parser.add_argument("--fit-memory", action="store_true", help="as many micro-batches a step as memory asks for")
    parser.add_argument("--profile", action="store_true", help="say where the time of some training steps goes")
    parser.add_argument("--recompute", action="store_true", help="keep no activations: less memory, a third more time")
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    parser.add_argument("--deterministic", action="store_true", help="the same bits each time on a GPU, too; slower")
    parser.add_argument("--compile", action="store_true", help="compile the networks that train, by torch.compile")
    precisions = ("auto", "no", "fp16", "bf16")
    parser.add_argument("--mixed-precision", choices=precisions, help="auto: bf16 on GPUs that have it")


def _settings(given: argparse.Namespace) -> list[str]:
    """The `--set` settings, with those that have an option of their own."""
    return [*given.settings, *(f"runtime.{name}={str(value).lower()}" for name, value in _runtime(given).items())]


def _runtime(given: argparse.Namespace) -> dict[str, object]:
    """The settings of `runtime` that have an option of their own, as far as they are given."""
    options = {
        "workers": given.workers,
        "cpu": given.cpu or None,
        "fit_memory": given.fit_memory or None,
        "profile": given.profile or None,
        "pack": given.pack or None,
        "recompute": given.recompute or None,
        "compile": given.compile or None,
        "deterministic": given.deterministic or None,
        "mixed_precision": given.mixed_precision,
    }
    return {name: value for name, value in options.items() if value is not None}


def _planning(given: argparse.Namespace) -> bool:
    """Whether nothing is to be run."""
    return given.plan or given.estimate or given.memory is not None


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Plan or run, here or in several processes; returns the exit code."""
    from segda.engine import signals

    if given.processes != 1 and not _planning(given) and not launch.is_worker():
        with signals.handle_signals():
            finished = given.processes > 1 and given.name is not None and _is_finished(_named(given), given)
            signals.raise_if_stopped("before any work")
        return 0 if finished else launch.start(given.processes, words, cpu=given.cpu, debug=given.debug)
    with signals.handle_signals(patient=launch.is_worker()):
        return _plan_or_run(given)


def _named(given: argparse.Namespace) -> "Pipeline":
    from pipelines.definition import loading as pipelines

    return pipelines.load(given.name, _settings(given), given.seed, remembered=True)


def _is_finished(loaded: "Pipeline", given: argparse.Namespace) -> bool:
    """Whether nothing is left to do; if so, that is told. One process finds out, without torch."""
    from pipelines.running import up_to_date
    from segda.artefacts.store import Store

    alone = given.from_manifest is None and not launch.is_worker()  # several processes go the same way
    return alone and up_to_date.report_if_up_to_date(loaded, Store(given.runs), given.only, given.force, given.wait)


def _plan_or_run(given: argparse.Namespace) -> int:
    from pipelines.definition import loading as pipelines
    from segda.artefacts.store import Store

    recorded, planning = _recorded(given), _planning(given)
    loaded = recorded[1] if recorded else _named(given)
    store = Store(given.runs)
    if planning:
        from pipelines.planning import plan

        planned = plan.make_plan(loaded, store, given.only, given.force)
        plan.print_plan(planned, f"{loaded.name}, results in {given.runs}")
        if given.estimate:
            from pipelines.planning import memory

            print("\n".join(memory.lines(loaded, planned, given.runs)))
        if given.memory is not None:
            from pipelines.planning import largest_crop

            print("\n".join(largest_crop.lines(loaded, planned, given.memory)))
        print("The code itself is not part of a key: after changing code, use --force or raise the stage's VERSION.")
        return 0
    if _is_finished(loaded, given):
        return 0
    if not loaded.checked:
        pipelines.check(loaded)

    from pipelines.running.execution import run_pipeline
    from segda.engine.determinism import deterministic
    from segda.engine.session import Session

    with deterministic(loaded.runtime.deterministic):
        session = Session(loaded.runtime.mixed_precision, loaded.runtime.cpu)
        if recorded:
            _warn(recorded[0], session)
        run_pipeline(loaded, store, session, given.only, given.force, given.wait, given.ignore_space)
        same = not recorded or _compare(*recorded, store, session)
        session.close()
    return 0 if same else 1


def _recorded(given: argparse.Namespace) -> "tuple[Recorded, Pipeline] | None":
    """What `--from-manifest` names and the pipeline that makes it again; `None` without that option.

    Raises:
        ConfigError: neither or both of NAME and `--from-manifest`, or an option that would change what is made.
    """
    from pipelines.definition import loading as pipelines
    from pipelines.running import reproduce
    from segda.errors import ConfigError

    if (given.name is None) == (given.from_manifest is None):
        raise ConfigError("run: expected the NAME of a pipeline, or --from-manifest PATH, and not both")
    if given.from_manifest is None:
        return None
    for name, value in (("--set", given.settings), ("--seed", given.seed), ("--only", given.only)):
        if value not in (None, []):
            raise ConfigError(f"{name}: --from-manifest makes a result again as it was; leave {name} out")
    recorded = reproduce.read(given.from_manifest)
    recorded.refuse(given.runs)
    return recorded, pipelines.build(recorded.run, reproduce.with_runtime(recorded.raw, _runtime(given)))


def _warn(recorded: "Recorded", session: "Session") -> None:
    """Say what is not as it was when the result was made, a line each."""
    from pipelines.running import reproduce
    from pipelines.running.provenance import provenance

    for command in reproduce.commands(recorded):
        session.print(f"recorded: {command}")
    for line in reproduce.environment_differences(recorded, provenance(session, 0)) if session.is_main else ():
        session.print(line)


def _compare(recorded: "Recorded", pipeline: "Pipeline", store: "Store", session: "Session") -> bool:
    """Say of each stage whether it came out the same."""
    from pipelines.planning import plan
    from pipelines.running import reproduce

    same = True
    if session.is_main:
        dated = {stage.kind: getattr(stage.module, "DATED", ()) for stage in pipeline.stages.values()}
        lines, same = reproduce.compare(recorded, plan.make_plan(pipeline, store), dated)
        for line in lines:
            session.print(line)
    return bool(session.broadcast(same))
