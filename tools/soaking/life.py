"""One life of the program: a process group that is started, disturbed and waited for."""

import importlib
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import torch

from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from tools.soaking.faults import EVENTS, injected

FIRST_LINE = re.compile(r"^\[1/\d+\] ", re.MULTILINE)
STAGE_LINE = re.compile(r"^\[\d+/\d+\] (\S+): (?:run|resume)", re.MULTILINE)
ERROR = re.compile(r"^error: .+", re.MULTILINE)


def warm(pipeline: str, settings: Sequence[str]) -> None:
    """Import what the lives will need, so that forked ones start at once."""
    for module in ("running.execution", "running.launch", "stages.report"):
        importlib.import_module(f"pipelines.{module}")
    importlib.import_module("sklearn.manifold")  # the report's
    pipelines.load(pipeline, settings)
    torch.set_num_threads(1)  # a fork has no other thread
    if threading.active_count() > 1:
        raise RuntimeError(f"a fork with threads running may hang: {threading.enumerate()}")


class Life:
    """`segda run` or another command in a process group of its own, its output in a file.

    One process is forked from this one, which has imported torch already, so it starts in a fraction of a second.
    Several are started as users start them.

    Attributes:
        code: exit code; below 0 a signal, as in subprocess; `None` while it lives.
        hit: whether its fault came before it had ended.
        problem: what must not have happened, in words; empty if all went as it should.
    """

    def __init__(
        self, words: Sequence[str], runs: Path, output: Path, processes: int = 1, fatal: int = 0, harm: str = "kill"
    ) -> None:
        """Start it; one process dies before rename `fatal` below `runs`, or its disk is full from write `fatal` on."""
        self.output, self.code, self.hit, self.problem = output, None, False, ""
        self.code: int | None
        output.write_bytes(b"")
        arguments = ([*words, "--runs", str(runs)], runs, output, processes, fatal, harm)
        self.process = multiprocessing.get_context("fork").Process(target=_run, args=arguments)
        self.process.start()
        self.pid = int(self.process.pid or 0)
        while self.process.exitcode is None and os.getpgid(self.pid) != self.pid:
            time.sleep(0.01)  # an interrupt before the program has started would say nothing about it

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, at most so long; whether it has ended."""
        self.process.join(seconds)
        self.code = self.process.exitcode
        return self.code is not None

    def ends(self, seconds: float, *codes: int) -> None:
        """Wait for an end that must come within so many seconds, with one of these codes; none: any but 1."""
        ended = self.wait(seconds)
        self.hit |= self.code != 0
        if not ended:
            self.problem = f"it is still there after {seconds:.0f} s"
        elif self.code not in codes if codes else self.code == 1:
            self.problem = f"it ended with {self.code}"

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def ranks(self) -> list[int]:
        """Ids of the processes that train."""
        pids, ranks = [self.pid], []
        for pid in pids:
            with suppress(OSError):
                pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
                ranks += [pid] * (b"end_with_launcher" in Path(f"/proc/{pid}/cmdline").read_bytes())
        return ranks

    def leaves_processes(self, patience: float = 5.0) -> bool:
        """Whether processes of the group are still there some seconds after its end."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return False
            time.sleep(0.05)
        return True

    def text(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(errors="replace")

    def error(self) -> str:
        """Its error line; empty without one."""
        match = ERROR.search(self.text())
        return match.group() if match else ""

    def has_planned(self) -> bool:
        """Whether its plan, with all that `--force` means, was carried out."""
        return FIRST_LINE.search(self.text()) is not None

    def stage(self) -> str:
        """The stage that it runs; empty before the first."""
        return (STAGE_LINE.findall(self.text()) or [""])[-1]


def _run(words: list[str], runs: Path, output: Path, processes: int, fatal: int, harm: str) -> None:
    """In the forked process: the program."""
    file = os.open(output, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if processes > 1:
        os.environ["OMP_NUM_THREADS"] = "1"
        os.setpgid(0, 0)
        command = [sys.executable, "-u", "-m", "pipelines", *words, "--processes", str(processes)]
        os.execv(sys.executable, command)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    cv2.setNumThreads(0)  # a fork has no other thread
    with injected(runs, fatal, harm, EVENTS if harm == "full" else ("replace", "rename")):
        os.setpgid(0, 0)
        sys.exit(main(words))
