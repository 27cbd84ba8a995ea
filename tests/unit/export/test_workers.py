"""Results come in order, errors reach the caller, and few jobs begin before they are needed."""

import threading
import time

import pytest

from segda.export.workers import Workers


@pytest.mark.parametrize("count", [0, 1, 3])
def test_ahead_keeps_the_order_and_begins_few(count: int) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.002 * (item % 3))
        return item * item

    with Workers(count) as workers:
        stream = workers.ahead(work, range(20))
        assert next(stream) == 0
        assert len(begun) <= count + 1
        assert list(stream) == [item * item for item in range(1, 20)]


@pytest.mark.parametrize("count", [0, 2])
def test_everything_submitted_is_done_at_the_end(count: int) -> None:
    done: set[int] = set()
    before = threading.active_count()
    with Workers(count) as workers:
        for item in range(50):
            workers.submit(done.add, item)
    assert done == set(range(50))
    assert threading.active_count() == before


@pytest.mark.parametrize("count", [0, 2])
def test_the_first_error_reaches_the_caller_and_ends_the_work(count: int) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 3:
            raise ValueError("three")
        done.append(item)

    def all_of_it() -> None:
        with Workers(count) as workers:
            for item in range(1000):
                workers.submit(work, item)

    with pytest.raises(ValueError, match="three"):
        all_of_it()
    assert len(done) < 100


def test_an_error_of_the_last_job_is_not_lost() -> None:
    def fail() -> None:
        raise ValueError("last")

    with pytest.raises(ValueError, match="last"), Workers(2) as workers:
        workers.submit(fail)
