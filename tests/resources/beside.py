"""A process at work beside the test: a fork that has torch loaded already, and tells where it stands by files."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from segda.engine.session import Session
from tests.pipelines import tiny


class Beside:
    """The process beside the test; killed at the end of the `with` block if it still lives."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.code: int | None = None

    def __enter__(self) -> "Beside":
        self.process = tiny.fork(self.work)
        return self

    def __exit__(self, *_: object) -> None:
        if not self.ended():
            self.kill()

    def ended(self) -> bool:
        """Whether it has; `code` is then 0, or what went wrong."""
        if self.code is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            self.code = None if process == 0 else os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        return self.code

    def kill(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        self.wait()


def stop_in(step: int, place: Path) -> None:
    """Let this process stop before a step of training: it leaves `place/stopped` and goes on once `place/go` is there.

    Only the first time that it comes to that number of optimizer steps.
    """
    made, stepping = [0], Session.step

    def step_or_stop(*arguments: object) -> None:
        made[0] += 1
        if made[0] == step:
            (place / "stopped").touch()
            await_file(place / "go")
        stepping(*arguments)  # type: ignore[arg-type]

    Session.step = step_or_stop  # type: ignore[method-assign]


def await_no_file(path: Path) -> None:
    deadline = time.monotonic() + 60
    while path.exists():
        assert time.monotonic() < deadline, f"{path} did not go"
        time.sleep(0.02)


def await_file(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.02)
