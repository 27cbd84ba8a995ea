"""The run that is soaked: its folders, and one life of it under one fault."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from segda.artefacts.store import LOCK_ENDING
from tools.soaking.damage import Stage, stages_of
from tools.soaking.life import Life

KILL, RENAME, TERM, INT = "SIGKILL", "SIGKILL before a file has its name", "SIGTERM", "SIGINT"
FULL, SECOND, RANK = "disk full", "the same run started twice", "SIGKILL of one of two processes"
ONE_PROCESS = (KILL, RENAME, TERM, INT, FULL, SECOND)
TWO_PROCESSES = (KILL, TERM, FULL, RANK)

OWN_MOUNTS = "SEGDA_SOAK_MOUNTS"
LEAVING = 60.0
"""Seconds in which a run must have ended that was asked to end, or that has lost one of its processes."""
ENDLESS = 1200.0
"""Seconds after which a run that should end by itself is taken to hang."""
PLANNED = re.compile(r"^\[1/\d+\] ", re.MULTILINE)
ERROR = re.compile(r"^error: .+", re.MULTILINE)


@dataclass
class Outcome:
    """One life that is over.

    Attributes:
        life: it.
        hit: whether the fault found it alive.
        problem: what must not have happened, in words; empty when all went as it should.
    """

    life: Life
    hit: bool = False
    problem: str = ""

    @property
    def planned(self) -> bool:
        """Whether it came so far that its plan, with all that `--force` means, was carried out."""
        return PLANNED.search(self.life.text()) is not None

    @property
    def error(self) -> str:
        """Its error line; empty without one."""
        found = ERROR.search(self.life.text())
        return found.group() if found else ""


@dataclass(frozen=True)
class Disk:
    """The place of the disturbed runs: a small file system of its own, where one could be mounted."""

    root: Path
    is_small: bool

    def leave(self) -> None:
        """Give the file system back, with all that is in it."""
        if self.is_small:
            subprocess.run(["umount", str(self.root)], check=True)

    @contextmanager
    def full(self, left: int) -> Iterator[None]:
        """Only so many bytes are free in the meantime."""
        ballast = self.root / "ballast"
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(self.root).free - left - 4096))
        try:
            yield
        finally:
            ballast.unlink()


@dataclass
class Job:
    """A pipeline run by a number of processes.

    Attributes:
        words: what the command line says after `run`, but for the folder.
        processes: how many.
        reference: the folder of the undisturbed run.
        runs: the folder of the disturbed one, on `disk`.
        output: the file that gets what the life at hand prints.
        disk: see `Disk`.
        starting: seconds that a life takes before its first stage.
        whole: seconds of an undisturbed run.
    """

    words: list[str]
    processes: int
    reference: Path
    runs: Path
    output: Path
    disk: Disk
    starting: float = 0.0
    whole: float = 0.0

    def undisturbed(self) -> Life:
        """Run to the end in the reference's folder, and keep the time.

        Raises:
            SystemExit: that failed, so there is nothing to compare with.
        """
        life = Life(["run", *self.words, "--runs", str(self.reference)], self.output, self.processes)
        try:
            while not life.wait(0.1):
                if self.starting == 0.0 and life.has_begun():
                    self.starting = life.seconds()
        finally:
            life.kill()
        self.whole = life.seconds()
        if life.code:
            raise SystemExit(f"the undisturbed run failed:\n{life.text()}")
        return life

    def stages(self, reference: bool = False) -> list[Stage]:
        """The stages in order, in the disturbed run's folder or the reference's."""
        (lock,) = self.reference.glob(f"*{LOCK_ENDING}")
        return stages_of(self.reference if reference else self.runs, lock)

    def renew(self) -> None:
        """The disturbed run's folder as the undisturbed run left its own."""
        shutil.rmtree(self.runs, ignore_errors=True)
        shutil.copytree(self.reference, self.runs)

    def verify(self) -> str:
        """What `segda status --verify` prints."""
        life = Life(["status", "--runs", str(self.runs), "--verify"], self.output)
        life.wait(ENDLESS)
        return life.text()

    def start(self, force: Sequence[str] = (), dies_before_rename: int = 0) -> Life:
        """A life in the disturbed run's folder."""
        forced = [word for stage in force for word in ("--force", stage)]
        words = ["run", *self.words, "--runs", str(self.runs), *forced]
        return Life(words, self.output, self.processes, dies_before_rename)

    def live(self, kind: str, force: Sequence[str], chance: Random) -> Outcome:
        """One life under one fault.

        Args:
            kind: of the fault; empty for none.
            force: stages to be made anew.
            chance: draws the moment, and how much room is left on a full disk.
        """
        moment = self._moment(chance)
        if kind == FULL:
            outcome = self._on_a_full_disk(force, chance)
        elif kind == RENAME:
            life = self.start(force, dies_before_rename=chance.randint(1, 40))
            outcome = _ended(life, (0, -signal.SIGKILL))
        else:
            life = self.start(force)
            try:
                outcome = _ended(life, (0,)) if not kind or life.wait(moment) else self._disturbed(life, kind, chance)
            finally:
                life.kill()
        if outcome.life.code in (0, 1, 2) and outcome.life.leaves_processes():
            outcome.problem = "it left processes behind"
        if "Traceback (most recent call last)" in outcome.life.text():
            outcome.problem = "it shows a traceback"
        return outcome

    def _moment(self, chance: Random) -> float:
        """The seconds that a life gets: most are spent in stages, some before the first."""
        working = self.whole - self.starting
        return chance.uniform(0.7 * self.starting, self.starting + working / (12 if self.processes == 1 else 4))

    def _disturbed(self, life: Life, kind: str, chance: Random) -> Outcome:
        """A signal, or a second run of the same, to a life that has begun."""
        if kind == KILL:
            life.kill()
            return Outcome(life, hit=True)
        if kind == SECOND:
            return self._twice(life)
        if kind == RANK:
            ranks = life.ranks()
            if not ranks:
                return _ended(life, (0,))
            os.kill(chance.choice(ranks), signal.SIGKILL)
        else:
            life.signal(signal.SIGTERM if kind == TERM else signal.SIGINT)
        if not life.wait(LEAVING):
            return Outcome(life, hit=True, problem=f"it was still there {LEAVING:.0f} s after {kind}")
        if kind == RANK and life.code and not Outcome(life).error:
            return Outcome(life, hit=True, problem="no error line tells that a process has died")
        return Outcome(life, hit=life.code != 0, problem=f"it ended with {life.code}" if life.code == 1 else "")

    def _twice(self, life: Life) -> Outcome:
        """A second run in the same folder: refused with one line, or it waits; the first goes on and is killed."""
        second = Life(["run", *self.words, "--runs", str(self.runs)], self.output.with_suffix(".second.txt"))
        try:
            second.wait(10)
            life.wait(1)
            told = second.code in (None, 0) or (second.code == 2 and Outcome(second).error)
            problem = "" if told else f"the second run ended with {second.code}:\n{second.text()}"
        finally:
            second.kill()
            life.kill()
        return Outcome(life, hit=True, problem=problem)

    def _on_a_full_disk(self, force: Sequence[str], chance: Random) -> Outcome:
        """Less room than the rest of the run needs: one line, exit code 2."""
        needed = max(1 << 16, size_of(self.reference) - size_of(self.runs))
        left = int(needed * chance.random() ** 2)
        if self.disk.is_small:
            with self.disk.full(left):
                outcome = _ended(self.start(force), (0, 2))
        else:  # no file may grow beyond a size, which reads much like a full disk
            life = self.start(force)
            life.limit_files(1 << chance.randint(16, 22))
            outcome = _ended(life, (0, 2))
        if outcome.life.code == 2 and not outcome.error:
            outcome.problem = "no error line tells that the disk is full"
        return outcome


def _ended(life: Life, codes: Sequence[int]) -> Outcome:
    """A life that must end by itself, and how."""
    try:
        ended = life.wait(ENDLESS)
    finally:
        life.kill()
    if not ended:
        return Outcome(life, hit=True, problem=f"it hangs, or takes longer than {ENDLESS:.0f} s")
    if life.code not in codes:
        return Outcome(life, hit=True, problem=f"it ended with {life.code}")
    return Outcome(life, hit=life.code != 0)


def size_of(folder: Path) -> int:
    """Bytes in the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def mounted(folder: Path, size: int) -> Disk:
    """A small file system in `folder`, if this process has mounts of its own; else the folder itself."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "soak", str(folder)]
    return Disk(folder, OWN_MOUNTS in os.environ and not subprocess.run(command, capture_output=True).returncode)


def with_own_mounts(words: Sequence[str]) -> None:
    """Start this program again where what it mounts is seen by nobody else and ends with it; where that is possible."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if OWN_MOUNTS in os.environ or shutil.which("unshare") is None:
        return
    if subprocess.run([*unshare, "true"], capture_output=True).returncode == 0:
        os.environ[OWN_MOUNTS] = "yes"
        os.execvp("unshare", [*unshare, sys.executable, *words])
