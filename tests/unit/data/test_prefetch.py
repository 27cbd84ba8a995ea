"""Prefetching: results and errors in order, a bounded number of items ahead, nothing lost."""

import threading
import time

import pytest

from segda.data.prefetch import Workers, in_order


@pytest.mark.parametrize(("workers", "ahead"), [(0, 0), (1, 0), (1, 1), (3, 5), (4, 100)])
def test_results_come_in_the_order_of_the_items(workers: int, ahead: int) -> None:
    def late(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return 2 * number

    assert list(in_order(late, range(20), workers=workers, ahead=ahead)) == list(range(0, 40, 2))
    assert list(in_order(late, [], workers=workers, ahead=ahead)) == []


@pytest.mark.promise("few-files-at-a-time")
@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_no_more_items_are_taken_up_than_were_asked_for(ahead: int) -> None:
    taken = 0

    def items() -> object:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    results = in_order(lambda number: number, items(), workers=2, ahead=ahead)  # type: ignore[arg-type, return-value]
    for number in range(5):
        assert next(results) == number
        assert taken == number + 1 + ahead
    results.close()
    assert taken == 5 + ahead


def test_an_error_is_raised_at_its_turn() -> None:
    def fails(number: int) -> int:
        if number == 2:
            raise ValueError("two")
        return number

    results = in_order(fails, range(5), workers=2, ahead=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_what_waits_is_dropped_when_it_is_closed() -> None:
    begun = []
    gate = threading.Event()

    def wait(number: int) -> int:
        begun.append(number)
        if number:
            gate.wait(5)
        return number

    results = in_order(wait, range(100), workers=1, ahead=50)
    assert next(results) == 0
    threading.Timer(0.05, gate.set).start()
    results.close()
    assert len(begun) <= 3


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
