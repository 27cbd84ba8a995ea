"""Work in the background of a training: one piece at a time, in one thread, which ends with the training."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class BackgroundWriter:
    """One thread for work that the training does not wait for; it is started with the first piece of work.

    Its errors are raised in the training's thread: by `raise_if_failed`, `wait` or `begin`, at the latest at the end of
    the `with` block. The block never ends before the work does; an error of the block itself comes first.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "background")
        self._work: Future[None] | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Begin `work` once the previous work has ended."""
        self.wait()
        self._work = self._thread.submit(work)

    @property
    def busy(self) -> bool:
        """Whether work is going on."""
        return self._work is not None and not self._work.done()

    def raise_if_failed(self) -> None:
        """Raise the error of work that has ended; returns at once."""
        if not self.busy:
            self.wait()

    def wait(self) -> None:
        """Wait until the work has ended, and raise its error, once."""
        work, self._work = self._work, None
        if work is not None:
            work.result()

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                self.wait()
        finally:
            self._thread.shutdown()  # waits, too
