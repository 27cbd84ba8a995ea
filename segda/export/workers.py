"""Threads that decode the next images and encode finished ones, while one thread translates.

OpenCV and zlib release Python's lock while they work, so each thread keeps a core busy.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from segda.data.prefetch import in_turn

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """A pool of threads; with none, the caller does each job at once. The first error is raised to the caller."""

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
        """Wait for all submitted jobs; after an error, only for those that have begun."""
        try:
            while self._open and error is None:
                self._open.popleft().result()
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def call(self, function: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        """Begin a job; the future's `result()` waits for it and raises its error."""
        if self._pool is not None:
            return self._pool.submit(function, *arguments)
        done: Future[Result] = Future()
        done.set_result(function(*arguments))
        return done

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Begin a job without a result. Waits while many are open, so that images do not pile up in memory."""
        self._open.append(self.call(function, *arguments))
        while len(self._open) > 2 * self.count:
            self._open.popleft().result()

    def ahead(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`map(function, items)`, in order, with the next few begun in advance."""
        return in_turn(partial(self.call, function), items, self.count)
