"""Run a pipeline under kills, full disks, damaged files and two processes; report whether a result changed or was lost.

    python -m tools.soak                                  # streets in small: 300 faults, or 30 minutes
    python -m tools.soak --faults 40 --two-processes 0    # one process alone
    python -m tools.soak --seed 3 --round 17              # one round of an earlier soak
    python -m tools.soak --pipeline mine.yaml             # another pipeline, as it is

First an undisturbed run, and one by two processes, whose batch normalisation makes other networks. Then rounds: some
finished stages are thrown away, the same command is started and disturbed until all is done again, and every published
file is compared, by its SHA-256, with those of the undisturbed run. A fault counts when the run was still alive or the
file was there. It is survived when the run ended as it should and the same command went on to the end, after no more
than what an error line asked for. Files are lost that are gone, or were written again although nothing had been done to
them. The exit code is 0 if all were survived and nothing was changed or lost, else 1. A
round draws from the seed and its number; at which step a signal arrives is a matter of the clock, too.
"""

import argparse
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from segda.artefacts import manifest as manifests
from tools.soaking import rounds
from tools.soaking.job import Job
from tools.soaking.life import warm
from tools.soaking.rounds import Fault, Round

STREETS = (
    "runtime.cpu=true", "runtime.save_every=3", "runtime.log_every=3",
    "stages.streets.rendered=24", "stages.streets.camera_train=16", "stages.streets.camera_val=6",
    "stages.source.steps=16", "stages.translate.steps=16", "stages.pixel.steps=16", "stages.oracle.steps=16",
    "stages.feature.steps=12", "stages.both.steps=12",
    "stages.feature.target_statistics=16", "stages.both.target_statistics=16",
    "stages.translate.method.terms.translation_adversarial.pool=3",
)  # fmt: skip
"""`streets` with few pictures and steps, so that hundreds of faults fit into half an hour; its networks stay."""


def jobs_of(args: argparse.Namespace, folder: Path) -> dict[int, Job]:
    """The undisturbed runs and copies of them to disturb, by number of processes."""
    settings = STREETS if args.pipeline == "streets" else ()
    words = [args.pipeline, *(word for setting in settings for word in ("--set", setting))]
    warm(args.pipeline, settings)
    jobs = {}
    for processes in (1, 2) if args.two_processes else (1,):
        name = f"{processes}-process" + "es" * (processes > 1)
        runs, output = folder / "disturbed" / name, folder / f"{name}.txt"
        job = jobs[processes] = Job(words, processes, folder / f"undisturbed-{name}", runs, output)
        job.undisturbed()
        print(f"undisturbed, {name}: {job.whole:.1f} s, {job.starting:.1f} s of it before a stage", flush=True)
    return jobs


def soak(args: argparse.Namespace, jobs: dict[int, Job], folder: Path, until: float) -> list[Round]:
    """Rounds until there are faults enough or the time is up."""
    done: list[Round] = []
    print("round  processes  fault                               stage      detail", flush=True)
    for number in itertools.count() if args.round is None else [args.round]:
        if sum(len(each.faults) for each in done) >= args.faults or time.monotonic() >= until:
            break
        random = Random(f"soak/{args.seed}/{number}")
        job = jobs[2 if random.random() < args.two_processes else 1]
        try:
            current = rounds.run(job, number, random)
        except KeyboardInterrupt:
            print(f"{number:>5}  interrupted: this round does not count", flush=True)
            break
        done.append(current)
        if current.problems:
            print("\n".join(f"{number:>5}  FAILED: {problem}" for problem in current.problems), flush=True)
            copy = shutil.copytree(job.runs, folder / f"failed-{number}")
            print(f"{'':>5}  its files are in {copy}", flush=True)
            job.renew()
        for aside in [*job.runs.glob("*.replaced-*"), *job.runs.glob(".*.tmp")]:
            shutil.rmtree(aside)
    return done


def table(faults: Sequence[Fault]) -> str:
    """Faults by kind and what came of them, as Markdown; the last line is the sum."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in sorted(faults, key=lambda fault: (fault.processes, fault.kind)):
        groups.setdefault((fault.kind, str(fault.processes)), []).append(fault)
    groups["**all**", ""] = list(faults)
    lines = ["| fault | processes | injected | survived | results equal | files lost |", "|---|" + "---:|" * 5]
    for (kind, processes), group in groups.items():
        counts = (len(group), *(sum(getattr(f, name) for f in group) for name in ("survived", "equal", "lost")))
        lines.append(f"| {kind} | {processes} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def protocol(args: argparse.Namespace, jobs: dict[int, Job], count: int, seconds: float) -> str:
    """What was run, on which machine and how long: the line above the table."""
    origin = manifests.load(jobs[1].stages(reference=True)[0].folder).provenance
    commit = str(origin["git"])[:12] + (" with changes" if origin["dirty"] else "")
    settings = f"with `{' '.join(STREETS)}`" if args.pipeline == "streets" else "as it is"
    command = f"--pipeline {args.pipeline} --seed {args.seed} --two-processes {args.two_processes:g}"
    whole = ", ".join(f"{job.whole:.0f} s with {processes} processes" for processes, job in jobs.items())
    return (
        f"`python -m tools.soak {command}`, {count} rounds in {seconds / 60:.0f} minutes, {origin['finished'][:10]}; "
        f"commit {commit}, {origin['cpu']}, one thread a process, Python {origin['python']}, torch "
        f"{origin['packages']['torch']}; full disks by writes that fail. `{args.pipeline}` {settings}; an undisturbed "
        f"run takes {whole}."
    )


def main() -> int:
    """Soak, and print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--pipeline", default="streets", help="a shipped pipeline, or the path of a .yaml file")
    parser.add_argument("--faults", type=int, default=300, help="begin no round once so many were injected")
    parser.add_argument("--minutes", type=float, default=30, help="nor after so many minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--round", type=int, metavar="NUMBER", help="this round alone")
    parser.add_argument("--two-processes", type=float, default=0.1, metavar="SHARE", help="of the rounds; 0 for none")
    args = parser.parse_args()
    start, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="soak-"))
    jobs = jobs_of(args, folder)
    done = soak(args, jobs, folder, start + 60 * args.minutes)
    faults = [fault for each in done for fault in each.faults]
    print(f"\n{protocol(args, jobs, len(done), time.monotonic() - start)}\n\n{table(faults)}\n", flush=True)
    if failed := [str(each.number) for each in done if each.problems]:
        print(f"FAILED: rounds {', '.join(failed)}; see above")
        return 1
    shutil.rmtree(folder)
    print(f"nothing changed, nothing lost, {len(faults)} faults survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
