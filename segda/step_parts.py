"""The named parts of a training step, such as waiting for data: nothing but names, until somebody times them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

Timer = Callable[[str], AbstractContextManager[None]]

_NOT_TIMED = nullcontext()
_timer: Timer | None = None


def part(name: str) -> AbstractContextManager[None]:
    """A part of a step; parts may lie in one another."""
    return _NOT_TIMED if _timer is None else _timer(name)


@contextmanager
def timed_by(timer: Timer) -> Iterator[None]:
    """Let `timer` surround every part that begins in this block."""
    global _timer
    _timer = timer
    try:
        yield
    finally:
        _timer = None
