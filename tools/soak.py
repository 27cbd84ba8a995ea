"""Run a pipeline under kills, full disks, damaged files and two processes; report whether a result changed or was lost.

    python -m tools.soak                                  # streets in small: 300 faults, or 30 minutes
    python -m tools.soak --faults 40 --two-processes 0    # one process alone
    python -m tools.soak --seed 3 --round 17 --rounds 1   # one round of an earlier soak
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
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch

from segda.artefacts import manifest as manifests
from tools.soaking import rounds
from tools.soaking.job import Job, mounted, with_own_mounts
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
    """The undisturbed runs, made, and copies of them that may be disturbed; by number of processes."""
    words = [args.pipeline, *(word for setting in args.settings for word in ("--set", setting))]
    warm(args.pipeline, args.settings)
    disk = mounted(folder / "disturbed")
    jobs = {}
    for processes in (1, 2) if args.two_processes else (1,):
        name = f"{processes}-process" + "es" * (processes > 1)
        runs, output = folder / "disturbed" / name, folder / f"{name}.txt"
        job = jobs[processes] = Job(words, processes, folder / f"undisturbed-{name}", runs, output, disk)
        job.undisturbed()
        print(f"undisturbed, {name}: {job.whole:.1f} s, {job.starting:.1f} s of it before a stage", flush=True)
    return jobs


def soak(args: argparse.Namespace, jobs: dict[int, Job], folder: Path, until: float) -> list[Round]:
    """Rounds until there are faults enough or the time is over."""
    done: list[Round] = []
    print("round  processes  fault                               stage      detail", flush=True)
    while sum(len(each.faults) for each in done) < args.faults and time.monotonic() < until:
        number = args.round + len(done)
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
            print(f"{'':>5}  its files are in {copy}, unless the folder is temporary", flush=True)
            job.renew()
        for aside in [*job.runs.glob("*.replaced-*"), *job.runs.glob(".*.tmp")]:
            shutil.rmtree(aside)
        if len(done) == args.rounds:
            break
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
    disk = "a file system too small for it" if jobs[1].disk else "a limit on the size of files"
    commit = str(origin["git"])[:12] + (" with changes" if origin["dirty"] else "")
    settings = f"with `{' '.join(args.settings)}`" if args.settings else "as it is"
    command = f"--pipeline {args.pipeline} --seed {args.seed} --two-processes {args.two_processes:g}"
    return (
        f"`python -m tools.soak {command}`, {count} rounds in {seconds / 60:.0f} minutes, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}; commit {commit}, {origin['cpu']}, one thread a process, "
        f"Python {platform.python_version()}, torch {torch.__version__}; full disks by {disk}. "
        f"`{args.pipeline}` {settings}; an undisturbed run takes "
        + ", ".join(f"{job.whole:.0f} s with {processes} processes" for processes, job in jobs.items())
        + "."
    )


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    options.add_argument("--pipeline", default="streets", help="a shipped pipeline, or the path of a .yaml file")
    options.add_argument("--set", action="append", default=[], dest="settings", metavar="A.B=VALUE")
    options.add_argument("--faults", type=int, default=300, help="begin no round once so many were injected")
    options.add_argument("--minutes", type=float, default=30, help="nor after so many minutes")
    options.add_argument("--rounds", type=int, default=0, help="nor after so many rounds; 0 for any number")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--round", type=int, default=0, help="number of the first round")
    options.add_argument("--two-processes", type=float, default=0.1, metavar="SHARE", help="of the rounds; 0 for none")
    options.add_argument("--folder", type=Path, help="for all files; a temporary folder otherwise")
    options.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there, too")
    return options


def main(words: Sequence[str]) -> int:
    """Soak, and print the table."""
    args = parser().parse_args(words)
    args.settings = [*(STREETS if args.pipeline == "streets" else ()), *args.settings]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = (args.folder or Path(temporary)).absolute()
        if folder.is_dir() and any(folder.iterdir()):
            raise SystemExit(f"{folder}: holds something already; choose another --folder or empty it")
        folder.mkdir(parents=True, exist_ok=True)
        jobs = jobs_of(args, folder)
        done = soak(args, jobs, folder, began + 60 * args.minutes)
        text = protocol(args, jobs, len(done), time.monotonic() - began)
        if jobs[1].disk:
            subprocess.run(["umount", str(jobs[1].disk)], check=True)
    faults = [fault for each in done for fault in each.faults]
    text += f"\n\n{table(faults)}\n"
    print(f"\n{text}", flush=True)
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    if failed := [str(each.number) for each in done if each.problems]:
        print(f"FAILED: rounds {', '.join(failed)}; see above")
        return 1
    print(f"nothing changed, nothing lost, {len(faults)} faults survived")
    return 0


if __name__ == "__main__":
    with_own_mounts(["-m", "tools.soak", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
