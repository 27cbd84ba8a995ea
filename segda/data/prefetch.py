"""Work on many files in threads, a few files ahead of whoever takes the results."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Iterator[Result]:
    """The function's results in the order of the items; an error is raised at its item's turn.

    Unlike `Executor.map`, which takes up all items at once, this holds no more for many items than for few.

    Args:
        function: called in threads.
        items: what it is called with.
        workers: threads.
        ahead: how many items are taken up beyond the one whose result is handed over.
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Whoever is interrupted, or has seen enough, must not wait for the rest.
        pool.shutdown(cancel_futures=True)
