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
    pool = ThreadPoolExecutor(workers)
    try:
        yield from in_turn(lambda item: pool.submit(function, item), items, ahead)
    finally:
        # Whoever is interrupted, or has seen enough, must not wait for the rest.
        pool.shutdown(cancel_futures=True)


def in_turn(submit: Callable[[Item], "Future[Result]"], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """The results of the items, each of which `submit` begins; at most `ahead` wait beyond the one handed over."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(submit(item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
