"""Work that goes on beside the training: one piece at a time, in one thread, which ends with the training."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType


class BackgroundWriter:
    """One thread for pieces of work that the training does not wait for; it is started with the first of them.

    What goes wrong there is raised here: in `check`, `wait` or `begin`, at the latest at the end of the `with` block.
    The block never ends while work is going on; where it ends with an error of its own, that is the one that is raised.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "beside the training")
        self._work: Future[None] | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Let `work` begin once what was begun before has ended."""
        self.wait()
        self._work = self._thread.submit(work)

    @property
    def busy(self) -> bool:
        """Whether there is work in hand that has not ended."""
        return self._work is not None and not self._work.done()

    def check(self) -> None:
        """Raise what has gone wrong by now; costs nothing."""
        if not self.busy:
            self.wait()

    def wait(self) -> None:
        """Wait for the work in hand, and raise what goes wrong with it, once."""
        work, self._work = self._work, None
        if work is not None:
            work.result()

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.wait()
            with suppress(BaseException):
                self.wait()
        finally:
            self._thread.shutdown()
