"""One life of the program, a process group that is started, disturbed, and watched to its end."""

import importlib
import os
import re
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import torch

from pipelines import pipeline as pipelines
from pipelines.__main__ import main

STAGE_LINE = re.compile(r"^\[\d+/\d+\] (\S+): (?:run|resume)", re.MULTILINE)


def warm(pipeline: str, settings: Sequence[str]) -> None:
    """Load here what the lives will need, so that forked ones begin at once."""
    for module in ("execution", "launch", "report"):
        importlib.import_module(f"pipelines.{module}")
    importlib.import_module("sklearn.manifold")  # the report's
    pipelines.load(pipeline, settings)
    torch.set_num_threads(1)  # no other thread would come along
    if threading.active_count() > 1:
        raise RuntimeError(f"a fork with threads running may hang: {threading.enumerate()}")


class Life:
    """`segda WORDS` in a process group of its own, its output in a file.

    One process is forked from this one, which has torch loaded already, so that a life costs a fraction of a second.
    Several are started as users start them, by a fresh interpreter and the launcher.
    """

    def __init__(self, words: list[str], output: Path, processes: int = 1, dies_before_rename: int = 0) -> None:
        """Start it.

        Args:
            words: the program's arguments.
            output: gets what it prints.
            processes: how many.
            dies_before_rename: the file that it writes but does not live to give its name; 0 for none. One process.
        """
        self.output = output
        self.began = time.monotonic()
        self.ended: float | None = None
        self.code: int | None = None
        self.pid = _forked(words, output, dies_before_rename) if processes == 1 else _spawned(words, output, processes)

    def wait(self, seconds: float | None) -> bool:
        """Wait for its end, at most so long; whether it has ended. Below 0 its `code` is a signal, as in subprocess."""
        until = None if seconds is None else time.monotonic() + seconds
        while self.code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.code, self.ended = os.waitstatus_to_exitcode(status), time.monotonic()
            elif until is not None and time.monotonic() >= until:
                return False
            else:
                time.sleep(0.02)
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the process that was started."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the whole group: no process of it can do anything any more."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait(None)

    def limit_files(self, size: int) -> None:
        """No file of it may grow beyond so many bytes from now on."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, size))

    def ranks(self) -> list[int]:
        """The processes that the launcher has started, those that train."""
        found = [self.pid]
        for pid in found:
            with suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return [pid for pid in found if b"spawn_main" in _command_of(pid)]

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

    def seconds(self) -> float:
        """How long it has lived."""
        return (time.monotonic() if self.ended is None else self.ended) - self.began

    def has_begun(self) -> bool:
        """Whether it is past its plan."""
        return STAGE_LINE.search(self.text()) is not None

    def stage(self) -> str:
        """The stage that it is in, as far as it has told."""
        stages = STAGE_LINE.findall(self.text())
        return stages[-1] if stages else "(starting)"


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _spawned(words: list[str], output: Path, processes: int) -> int:
    """A fresh interpreter in a process group of its own."""
    command = [sys.executable, "-u", "-m", "pipelines", *words, "--processes", str(processes)]
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        sys.executable, command, {**os.environ, "OMP_NUM_THREADS": "1"}, setpgroup=0,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, str(output), writing, 0o644), (os.POSIX_SPAWN_DUP2, 1, 2)],
    )  # fmt: skip


def _forked(words: list[str], output: Path, dies_before_rename: int) -> int:
    """A copy of this process that runs the program in place of going on here."""
    output.touch()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        with suppress(OSError):  # the child does it, too: whoever comes first
            os.setpgid(child, child)
        return child
    code = 1
    try:
        os.setpgid(0, 0)
        file = os.open(output, os.O_WRONLY | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        cv2.setNumThreads(0)  # its threads did not come along
        if dies_before_rename:
            _die_before_rename(dies_before_rename)
        code = main(words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_before_rename(number: int) -> None:
    """SIGKILL where it hurts most: a file or folder is written and has not got its name."""
    left = [number]

    def deadly(rename: Callable[..., Any]) -> Callable[..., Any]:
        def renamed(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return rename(*arguments, **options)

        return renamed

    os.replace = deadly(os.replace)
    os.rename = deadly(os.rename)
