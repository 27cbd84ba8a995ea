"""Run a pipeline under kills, full disks, damaged files and two processes; tell whether any result was changed or lost.

    python -m tools.soak                                  # streets in small: 300 faults, or 30 minutes
    python -m tools.soak --faults 40 --two-processes 0    # one process alone
    python -m tools.soak --seed 3 --round 17 --rounds 1   # one round of an earlier soak
    python -m tools.soak --pipeline mine.yaml             # another pipeline, as it is

First an undisturbed run, and one by two processes, whose batch normalisation makes other networks. Then rounds: some
finished stages are thrown away, the same command is started and disturbed until all is done again, and every published
file is compared, by its SHA-256, with those of the undisturbed run. A fault counts when it found the run alive or the
file there. It is survived when the run ended as it should and the same command went on to the end, after no more than
what an error line asked for. The exit code is 0 if all were survived and nothing was changed or lost, else 1. A round
draws from the seed and its number; at which step a signal arrives is a matter of the clock, too.
"""

import argparse
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch

from segda.artefacts import manifest as manifests
from tools.soaking import rounds
from tools.soaking.job import Disk, Job, mounted, size_of, with_own_mounts
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


def jobs_of(given: argparse.Namespace, folder: Path) -> dict[int, Job]:
    """The undisturbed runs, made, and copies of them that may be disturbed; by number of processes."""
    settings = [*(STREETS if given.pipeline == "streets" else ()), *given.settings]
    words = [given.pipeline, *(word for setting in settings for word in ("--set", setting))]
    disk = Disk(folder / "disturbed", is_small=False)
    warm(given.pipeline, settings)
    jobs = {}
    for processes in (1, 2) if given.two_processes else (1,):
        name = f"{processes}-process" + "es" * (processes > 1)
        job = Job(words, processes, folder / f"undisturbed-{name}", disk.root / name, folder / f"{name}.txt", disk)
        job.undisturbed()
        jobs[processes] = job
        print(f"undisturbed, {name}: {job.whole:.1f} s, {job.starting:.1f} s of it before a stage", flush=True)
    # Room for what --force and replaced results keep aside, and for a full disk to be told from a small one.
    disk = mounted(disk.root, (64 << 20) + 4 * sum(size_of(job.reference) for job in jobs.values()))
    for job in jobs.values():
        job.disk = disk
        job.renew()
    return jobs


def soak(given: argparse.Namespace, folder: Path) -> tuple[dict[int, Job], list[Round], float]:
    """Rounds until there are faults enough or the time is over; and the seconds that all took."""
    began = time.monotonic()
    jobs = jobs_of(given, folder)
    made: list[Round] = []
    print("round  processes  fault                               stage      detail", flush=True)
    number = given.round
    while sum(len(each.faults) for each in made) < given.faults and time.monotonic() - began < 60 * given.minutes:
        chance = Random(f"soak/{given.seed}/{number}")
        job = jobs[2 if chance.random() < given.two_processes else 1]
        try:
            made.append(rounds.run(job, number, chance))
        except KeyboardInterrupt:
            print(f"{number:>5}  interrupted: this round does not count", flush=True)
            break
        number += 1
        if made[-1].problems:
            print("\n".join(f"{made[-1].number:>5}  FAILED: {problem}" for problem in made[-1].problems), flush=True)
            kept = folder / f"failed-{made[-1].number}"
            shutil.copytree(job.runs, kept)
            print(f"{'':>5}  its files are kept in {kept}, unless the folder is temporary", flush=True)
            job.renew()
        for aside in [*job.runs.glob("*.replaced-*"), *job.runs.glob(".*.tmp")]:
            shutil.rmtree(aside)
        if given.rounds and len(made) == given.rounds:
            break
    return jobs, made, time.monotonic() - began


def table(faults: Sequence[Fault]) -> str:
    """What was done and what came of it, as Markdown; the last line is the sum."""
    lines = ["| fault | processes | injected | survived | results equal | files lost |", "|---|" + "---:|" * 5]
    groups = sorted({(fault.kind, fault.processes) for fault in faults}, key=lambda group: (group[1], group[0]))
    for kind, processes in groups:
        lines.append(_row(kind, str(processes), [f for f in faults if (f.kind, f.processes) == (kind, processes)]))
    return "\n".join([*lines, _row("**all**", "", faults)])


def _row(title: str, processes: str, faults: Sequence[Fault]) -> str:
    survived, equal = sum(fault.survived for fault in faults), sum(fault.equal for fault in faults)
    lost = sum(fault.lost for fault in faults)
    return f"| {title} | {processes} | {len(faults)} | {survived} | {equal} | {lost} |"


HEAD = """# A soak

Faults that `tools/soak.py` injected into a run, at random, and what came of them. *Survived*: the run ended as it
should, and the same command went on to the end, after no more than what its error line asked for. *Results equal*: in
the end every published file and score was that of an undisturbed run. *Files lost*: published files that were gone, or
were written again although nothing had been done to them.

"""


def protocol(given: argparse.Namespace, jobs: dict[int, Job], made: Sequence[Round], seconds: float) -> str:
    """What was run where, and how long: the line above the table."""
    where = manifests.load(jobs[1].stages(reference=True)[0].folder).provenance
    disk = "a file system too small for it" if jobs[1].disk.is_small else "a limit on the size of files"
    commit = str(where["git"])[:12] + (" with changes" if where["dirty"] else "")
    settings = " ".join([*(STREETS if given.pipeline == "streets" else ()), *given.settings])
    command = f"--pipeline {given.pipeline} --seed {given.seed} --two-processes {given.two_processes:g}"
    return (
        f"`python -m tools.soak {command}`, {len(made)} rounds in {seconds / 60:.0f} minutes, "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}; commit {commit}, {where['cpu']}, one thread a process, "
        f"Python {platform.python_version()}, torch {torch.__version__}; full disks by {disk}. "
        f"`{given.pipeline}` {f'with `{settings}`' if settings else 'as it is'}; an undisturbed run takes "
        + ", ".join(f"{job.whole:.0f} s with {processes} processes" for processes, job in jobs.items())
        + "."
    )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    made.add_argument("--pipeline", default="streets", help="a shipped pipeline, or the path of a .yaml file")
    made.add_argument("--set", action="append", default=[], dest="settings", metavar="A.B=VALUE")
    made.add_argument("--faults", type=int, default=300, help="begin no round once so many were injected")
    made.add_argument("--minutes", type=float, default=30, help="nor after so many minutes")
    made.add_argument("--rounds", type=int, default=0, help="nor after so many rounds; 0 for any number")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--round", type=int, default=0, help="number of the first round")
    made.add_argument("--two-processes", type=float, default=0.1, metavar="SHARE", help="of the rounds; 0 for none")
    made.add_argument("--folder", type=Path, help="where everything is kept; a temporary folder otherwise")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there, too")
    return made


def main(words: Sequence[str]) -> int:
    """Soak, and print the table."""
    given = parser().parse_args(words)
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        if folder.is_dir() and any(folder.iterdir()):
            raise SystemExit(f"{folder}: holds something already; choose another --folder or empty it")
        folder.mkdir(parents=True, exist_ok=True)
        jobs, made, seconds = soak(given, folder)
        jobs[1].disk.leave()
        faults = [fault for each in made for fault in each.faults]
        told = f"{HEAD}{protocol(given, jobs, made, seconds)}\n\n{table(faults)}\n"
    print(f"\n{told}", flush=True)
    if given.markdown:
        given.markdown.write_text(told, encoding="utf-8")
    failed = [each.number for each in made if each.problems]
    if failed:
        print(f"FAILED: rounds {', '.join(map(str, failed))}; see above")
        return 1
    print(f"nothing changed, nothing lost, {len(faults)} faults survived")
    return 0


if __name__ == "__main__":
    with_own_mounts(["-m", "tools.soak", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
