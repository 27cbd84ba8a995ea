"""Threads that decode what comes next and encode what is done, while one thread translates.

OpenCV and zlib leave Python's lock alone while they work, so threads keep as many cores busy as there are of them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


class Workers:
    """So many threads; with none, everything is done at once by the caller. The first error is raised to the caller."""

    def __init__(self, count: int) -> None:
        """Args: count: number of threads, 0 for none."""
        self.count = count
        self._pool = ThreadPoolExecutor(count) if count else None
        self._open: deque[Future[Any]] = deque()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what was submitted; after an error, only for what has begun."""
        try:
            if error is None:
                self.wait()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def call(self, function: Callable[..., Made], *arguments: Any) -> "Future[Made]":
        """Begin to work something out; the answer's `result()` waits for it and raises its error."""
        if self._pool is not None:
            return self._pool.submit(function, *arguments)
        done: Future[Made] = Future()
        done.set_result(function(*arguments))
        return done

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have something done. Waits while much is open, so that results do not pile up in memory."""
        self._open.append(self.call(function, *arguments))
        while len(self._open) > 2 * self.count:
            self._open.popleft().result()

    def wait(self) -> None:
        """Wait for all that was submitted."""
        while self._open:
            self._open.popleft().result()

    def ahead(self, function: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
        """`map(function, items)`, in order, with the next few begun before they are asked for."""
        begun: deque[Future[Made]] = deque()
        for item in items:
            begun.append(self.call(function, item))
            if len(begun) > self.count:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
