"""A forked process that works while the test continues; it has torch loaded already."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from segda.engine.session import Session
from tests.pipelines import tiny


class Forked:
    """A forked process; killed at the end of the `with` block if it is still alive."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.code: int | None = None

    def __enter__(self) -> "Forked":
        self.process = tiny.fork(self.work)
        return self

    def __exit__(self, *_: object) -> None:
        if not self.ended():
            self.kill()

    def ended(self) -> bool:
        """Whether it has ended; `code` is then its exit code."""
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


@contextmanager
def paused_before(step: int, work: Callable[[], object]) -> Iterator[Forked]:
    """A forked process, once it is about to take the optimizer step of this number, counted from 1 over all stages.

    It continues when the file `go` appears in the current folder.
    """
    here, steps, take = Path.cwd(), [0], Session.step

    def step_or_pause(*arguments: object) -> None:
        steps[0] += 1
        if steps[0] == step:
            (here / "paused").touch()
            wait_until((here / "go").exists)
        take(*arguments)  # type: ignore[arg-type]

    def pausing() -> None:
        Session.step = step_or_pause  # type: ignore[method-assign]
        work()

    with Forked(pausing) as process:
        wait_until((here / "paused").exists)
        yield process


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"{condition} is not true after a minute"
        time.sleep(0.02)
