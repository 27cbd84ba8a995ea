"""A request to stop, by SIGTERM, SIGUSR1 or SIGINT: noted when it comes, heeded where the work can be taken up again.

A scheduler that wants its machine back sends SIGTERM, or SIGUSR1 if asked to (`sbatch --signal=USR1@120`),
and gives a job some time; Ctrl-C sends SIGINT. Each lets the work in hand be finished and saved. A second one ends the
process at once, as without this file.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

CODES: dict[int, int] = {
    getattr(signal, name): code
    for name, code in (("SIGTERM", 75), ("SIGUSR1", 75), ("SIGINT", 130))
    if hasattr(signal, name)
}
"""Exit codes: 75 is EX_TEMPFAIL of sysexits.h, "try again later", on which schedulers can be configured to requeue.

Windows has no SIGUSR1.
"""

END = getattr(signal, "SIGKILL", signal.SIGTERM)
"""Ends a process, which cannot refuse; on Windows every signal does."""

ECHO = 1.0
"""Seconds in which a further signal is the same request: `timeout` and terminals signal a process and its group."""

_request: tuple[int, float] | None = None


class StoppedError(KeyboardInterrupt):
    """The work was stopped on request where it can be taken up again; no `except Exception` may swallow it."""

    def __init__(self, number: int, where: str) -> None:
        """Name the signal by its number, and what was finished last in words."""
        self.code = CODES[number]
        super().__init__(f"stopped by {signal.Signals(number).name}: {where}; the same command goes on from there")


def requested() -> int:
    """The number of the signal that asked to stop, 0 as long as none has."""
    return 0 if _request is None else _request[0]


def raise_if_stopped(where: str) -> None:
    """Stop here if that was asked for; `where` says in words what is finished.

    Raises:
        StoppedError: it was asked for.
    """
    if requested():
        raise StoppedError(requested(), where)


@contextmanager
def handle_signals(*, patient: bool = False, tell: Callable[[int], object] = lambda number: None) -> Iterator[None]:
    """Note signals in this block in place of dying of them; to be entered in the main thread.

    Args:
        patient: a repeated signal is ignored, since whoever started this process decides when it must end.
        tell: called with a signal that is to be passed on: the first one, and SIGKILL when a second one ends all.
    """
    global _request

    def note(number: int, frame: FrameType | None) -> None:
        global _request
        if _request is None:
            _request = (number, time.monotonic())
            tell(number)
        elif not patient and time.monotonic() - _request[1] > ECHO:
            tell(END)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    _request = None
    before = {number: signal.signal(number, note) for number in CODES}
    try:
        yield
    finally:
        _request = None
        for number, handler in before.items():
            signal.signal(number, handler)
