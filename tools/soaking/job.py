"""The run that is disturbed: its folders, and one life of it under one fault."""

import os
import resource
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from segda.artefacts.store import LOCK_ENDING
from tools.soaking.damage import Stage, stages_of
from tools.soaking.life import Life

KILL, RENAME, TERM, INT = "SIGKILL", "SIGKILL before a file has its name", "SIGTERM", "SIGINT"
FULL, SECOND, RANK = "disk full", "the same run started twice", "SIGKILL of one of two processes"
FAULTS = {1: (KILL, RENAME, TERM, INT, FULL, SECOND), 2: (KILL, TERM, FULL, RANK)}
"""By number of processes."""

LEAVING = 60.0
"""Seconds, on top of those of a start, in which a run ends after a signal or the death of one of its processes."""
ENDLESS = 1200.0
"""Seconds after which a run that should end by itself is taken to hang."""


@dataclass
class Job:
    """A pipeline run by a number of processes."""

    words: list[str]  # arguments of `segda run`, but for the folder
    processes: int
    reference: Path  # folder of the undisturbed run
    runs: Path  # folder of the disturbed run
    output: Path  # file for what a life prints
    starting: float = 0.0  # seconds before the first stage
    whole: float = 0.0  # seconds of an undisturbed run

    def undisturbed(self) -> None:
        """Run to the end in the reference's folder, note the time, and copy the results to be disturbed.

        Raises:
            SystemExit: the run failed, so there is nothing to compare with.
        """
        start = time.monotonic()
        life = Life(["run", *self.words], self.reference, self.output, self.processes)
        try:
            while not life.wait(0.1):
                if self.starting == 0.0 and life.stage():
                    self.starting = time.monotonic() - start
        finally:
            life.kill()
        self.whole = time.monotonic() - start
        if life.code:
            raise SystemExit(f"the undisturbed run failed:\n{life.text()}")
        self.renew()

    def stages(self, reference: bool = False) -> list[Stage]:
        """The stages in order, in the disturbed run's folder or the reference's."""
        (lock,) = self.reference.glob(f"*{LOCK_ENDING}")
        return stages_of(self.reference if reference else self.runs, lock)

    def renew(self) -> None:
        """Copy the undisturbed run over the disturbed one."""
        shutil.rmtree(self.runs, ignore_errors=True)
        shutil.copytree(self.reference, self.runs)

    def verify(self) -> str:
        """What `segda status --verify` prints."""
        life = Life(["status", "--verify"], self.runs, self.output)
        life.wait(ENDLESS)
        return life.text()

    def start(self, force: Sequence[str], kind: str, random: Random) -> Life:
        """A life in the disturbed run's folder, with its fault if that is one of writing."""
        words = ["run", *self.words, *(word for stage in force for word in ("--force", stage))]
        fatal = {RENAME: random.randint(1, 40), FULL: random.randint(1, 200)}.get(kind, 0)
        life = Life(words, self.runs, self.output, self.processes, fatal, "full" if kind == FULL else "kill")
        if kind == FULL and self.processes > 1:  # no file may grow beyond a size, which is much like a full disk
            size = 1 << random.randint(16, 22)
            resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (size, size))
        return life

    def live(self, kind: str, force: Sequence[str], random: Random) -> Life:
        """One life under one fault, or none if `kind` is empty; the stages in `force` are made anew."""
        working = (self.whole - self.starting) / (12 if self.processes == 1 else 4)
        moment = random.uniform(0.7 * self.starting, self.starting + working)
        life = self.start(force, kind, random)
        try:
            if kind in ("", FULL, RENAME):
                life.ends(ENDLESS, 0, {FULL: 2, RENAME: -signal.SIGKILL}.get(kind, 0))
            elif life.wait(moment):
                life.ends(0, 0)
            else:
                self._disturb(life, kind, random)
            if kind in (FULL, RANK) and life.code and not life.error():
                life.problem = f"no error line after {kind}"
            if life.code in (0, 1, 2) and life.leaves_processes():
                life.problem = "it left processes behind"
        finally:
            life.kill()
        if "Traceback (most recent call last)" in life.text():
            life.problem = "it printed a traceback"
        return life

    def _disturb(self, life: Life, kind: str, random: Random) -> None:
        """A signal, or a second run of the same, to a life that has started."""
        life.hit = kind in (KILL, SECOND)
        if kind == KILL:
            life.kill()
        elif kind == SECOND:
            self._start_twice(life)
        else:
            if ranks := life.ranks() if kind == RANK else [life.pid]:
                os.kill(random.choice(ranks), {TERM: signal.SIGTERM, INT: signal.SIGINT}.get(kind, signal.SIGKILL))
            life.ends(LEAVING + self.starting if ranks else ENDLESS)

    def _start_twice(self, life: Life) -> None:
        """A second run in the same folder: refused with one line, or it waits; the first goes on and is killed."""
        second = Life(["run", *self.words], self.runs, self.output.with_suffix(".second.txt"))
        try:
            second.wait(10)
            life.wait(1)
            if second.code not in (None, 0) and not (second.code == 2 and second.error()):
                life.problem = f"the second run ended with {second.code}:\n{second.text()}"
        finally:
            second.kill()
            life.kill()
