"""Threads that decode the next files and encode finished ones while the caller works.

OpenCV and zlib release Python's lock, so threads keep as many cores busy as there are of them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """Some threads; with none, the caller does everything at once. The first error is raised to the caller."""

    def __init__(self, count: int) -> None:
        """Args: count: number of threads, 0 for none."""
        self.count = count
        self._pool = ThreadPoolExecutor(count) if count else None
        self._submitted: deque[Future[Any]] = deque()

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

    def call(self, function: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        """Begin a call; the future's `result()` waits for it and raises its error."""
        if self._pool is not None:
            return self._pool.submit(function, *arguments)
        done: Future[Result] = Future()
        done.set_result(function(*arguments))
        return done

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Begin a call without result. Waits while many are open, so that they do not pile up in memory."""
        self._submitted.append(self.call(function, *arguments))
        while len(self._submitted) > 2 * self.count:
            self._submitted.popleft().result()

    def wait(self) -> None:
        """Wait for all that was submitted."""
        while self._submitted:
            self._submitted.popleft().result()

    def ahead(
        self, function: Callable[[Item], Result], items: Iterable[Item], count: int | None = None
    ) -> Iterator[Result]:
        """The function's results in the order of the items; an error is raised at its item's turn.

        Unlike `Executor.map`, which submits all items at once, this needs no more memory for many items than for few:
        `count` calls are begun beyond the one whose result is next, by default as many as there are threads.
        """
        begun: deque[Future[Result]] = deque()
        for item in items:
            begun.append(self.call(function, item))
            if len(begun) > (self.count if count is None else count):
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """`Workers.ahead` with threads of its own, which end with the iterator."""
    with Workers(workers) as threads:
        yield from threads.ahead(function, items, ahead)
