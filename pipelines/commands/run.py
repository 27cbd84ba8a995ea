"""Run a pipeline: what is finished is skipped, what was interrupted goes on.

Heavy imports stand inside `execute`, so that `--help` is quick.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.running import launch

if TYPE_CHECKING:
    from pipelines.planning.plan import Planner
    from pipelines.running.reproduce import Recorded
    from segda.engine.session import Session

EXAMPLES = (
    "segda run streets --plan",
    "segda run gta5_to_cityscapes --seed 1 --processes 4",
    "segda run streets --set stages.translate.steps=1000 --only translate",
    "segda run --from-manifest runs/streets.lock.json --runs again",
)


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
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    precisions = ("auto", "no", "fp16", "bf16")
    parser.add_argument("--mixed-precision", choices=precisions, help="auto: bf16 on GPUs that have it")


def _settings(args: argparse.Namespace) -> list[str]:
    """The `--set` settings, with those that have an option of their own."""
    options = {"workers": args.workers, "cpu": args.cpu or None, "mixed_precision": args.mixed_precision}
    own = [f"runtime.{name}={str(value).lower()}" for name, value in options.items() if value is not None]
    return [*args.settings, *own]


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Plan or run, here or in several processes; returns the exit code."""
    from segda.engine import launcher, signals
    from segda.errors import ConfigError

    if args.processes < 1:
        raise ConfigError(f"--processes: {args.processes}; expected at least 1")
    if not _is_plan(args):
        launcher.join(args.processes)
    if _is_plan(args) or args.processes == 1 or launch.is_worker():
        with signals.handle_signals(patient=launch.is_worker()):
            return _plan(args) if _is_plan(args) else _run(args)
    with signals.handle_signals():
        done = args.name is not None and _is_up_to_date(_planner(args), args)
        signals.raise_if_stopped("before any work")
    return 0 if done else launch.start(args.processes, argv, cpu=args.cpu, debug=args.debug)


def _is_plan(args: argparse.Namespace) -> bool:
    """Whether nothing is to be run."""
    return args.plan or args.estimate or args.memory is not None


def _planner(args: argparse.Namespace, recorded: "Recorded | None" = None) -> "Planner":
    """The planner of the named pipeline, or of the one that makes a recorded result again."""
    from pipelines.commands.arguments import print_shadowing
    from pipelines.definition import loading as pipelines
    from pipelines.planning.plan import Planner
    from pipelines.running import reproduce
    from segda.artefacts.store import Store

    if recorded is None:
        pipeline = pipelines.load(args.name, _settings(args), args.seed, remembered=True)
        if launch.is_first():
            print_shadowing(sys.stdout)
    else:
        pipeline = pipelines.build(recorded.run, reproduce.with_settings(recorded.raw, _settings(args)))
    return Planner(pipeline, Store(args.runs), args.only, args.force)


def _is_up_to_date(planner: "Planner", args: argparse.Namespace) -> bool:
    """Whether nothing is left to do; if so, that is printed. Without torch."""
    from pipelines.running import up_to_date

    return up_to_date.report_if_up_to_date(planner, args.wait)


def _plan(args: argparse.Namespace) -> int:
    """Print what would run, and what it takes as far as that is asked for."""
    from pipelines.planning import plan, refusals

    planner = _planner(args, _recorded(args))
    planned = planner.plan()
    plan.print_plan(planned, f"{planner.pipeline.name}, results in {args.runs}")
    refusals.refuse(planner, planned, args.processes, begins=False)
    if args.estimate:
        from pipelines.planning import memory

        print("\n".join(memory.lines(planner.pipeline, planned, args.runs)))
    if args.memory is not None:
        from pipelines.planning import largest_crop

        print("\n".join(largest_crop.lines(planner.pipeline, planned, args.memory)))
    print("The code itself is not part of a key: after changing code, use --force or raise the stage's VERSION.")
    return 0


def _run(args: argparse.Namespace) -> int:
    """Run in this process, or as one of several."""
    from pipelines.definition import loading as pipelines

    recorded = _recorded(args)
    planner = _planner(args, recorded)
    if recorded is None and not launch.is_worker() and _is_up_to_date(planner, args):
        return 0
    if not planner.pipeline.checked:
        pipelines.check(planner.pipeline.stages)

    from pipelines.running.execution import run_planned
    from segda.engine.determinism import deterministic
    from segda.engine.session import Session

    runtime = planner.pipeline.runtime
    with deterministic(runtime.deterministic):
        session = Session(runtime.mixed_precision, runtime.cpu)
        session.print(session.summary())
        if recorded:
            _warn(recorded, session)
        run_planned(planner, session, args.wait, args.ignore_space)
        same = not recorded or _compare(recorded, planner, session)
        session.close()
    return 0 if same else 1


def _recorded(args: argparse.Namespace) -> "Recorded | None":
    """What `--from-manifest` names; `None` without that option.

    Raises:
        ConfigError: neither or both of NAME and `--from-manifest`, or an option that would change what is made.
    """
    from pipelines.running import reproduce
    from segda.errors import ConfigError

    if (args.name is None) == (args.from_manifest is None):
        raise ConfigError("run: expected the NAME of a pipeline, or --from-manifest PATH, and not both")
    if args.from_manifest is None:
        return None
    changing = [setting for setting in args.settings if not setting.startswith("runtime.")]
    for name, value in (("--set", changing), ("--seed", args.seed), ("--only", args.only)):
        if value not in (None, []):
            raise ConfigError(
                f"{name}: --from-manifest makes a result again as it was; leave {name} out, but for --set runtime.…"
            )
    recorded = reproduce.read(args.from_manifest)
    recorded.refuse(args.runs)
    return recorded


def _warn(recorded: "Recorded", session: "Session") -> None:
    """Say what is not as it was when the result was made, a line each."""
    from pipelines.running import reproduce
    from pipelines.running.provenance import provenance

    for command in reproduce.commands(recorded):
        session.print(f"recorded: {command}")
    for line in reproduce.environment_differences(recorded, provenance(session, 0)) if session.is_main else ():
        session.print(line)


def _compare(recorded: "Recorded", planner: "Planner", session: "Session") -> bool:
    """Say of each stage whether it came out the same."""
    from pipelines.running import reproduce

    same = True
    if session.is_main:
        dated = {stage.kind: getattr(stage.module, "DATED", ()) for stage in planner.pipeline.stages.values()}
        lines, same = reproduce.compare(recorded, planner.plan(), dated)
        for line in lines:
            session.print(line)
    return bool(session.broadcast(same))
