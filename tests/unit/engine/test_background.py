"""Work in the background: one task at a time, no error lost, no thread left running."""

import threading
from collections.abc import Callable

import pytest

from segda.engine.background import BackgroundWriter


class FirstError(Exception):
    pass


class SecondError(Exception):
    pass


def fail() -> None:
    raise FirstError


def test_it_goes_on_beside_and_one_piece_at_a_time() -> None:
    events, go = list[str](), threading.Event()

    def first() -> None:
        go.wait(30)
        events.append("first")

    with BackgroundWriter() as background:
        background.begin(first)
        events.append("training")
        background.raise_if_failed()
        go.set()
        background.begin(lambda: events.append("second"))
        assert events[:2] == ["training", "first"], "starts only after the first has ended"
        background.wait()
        assert events == ["training", "first", "second"]


def test_an_error_is_raised_once_at_the_next_look() -> None:
    def look(background: BackgroundWriter) -> None:
        while True:
            background.raise_if_failed()

    with BackgroundWriter() as background:
        background.begin(fail)
        with pytest.raises(FirstError):
            look(background)
        background.raise_if_failed()
        background.wait()


@pytest.mark.parametrize("look", ["begin", "wait", "end"])
def test_an_error_is_raised_by_whatever_waits(look: str) -> None:
    ran: list[int] = []

    def work() -> None:
        with BackgroundWriter() as background:
            background.begin(fail)
            if look == "begin":
                background.begin(lambda: ran.append(1))
            elif look == "wait":
                background.wait()
            ran.extend([2] * (look != "end"))

    with pytest.raises(FirstError):
        work()
    assert ran == []


@pytest.mark.promise("background-errors")
@pytest.mark.parametrize("last", [fail, lambda: None], ids=["fails", "ends well"])
def test_an_error_of_the_training_comes_first_and_nothing_is_left_running(last: Callable[[], None]) -> None:
    before, ended = threading.active_count(), threading.Event()

    def slow() -> None:
        threading.Event().wait(0.05)
        ended.set()
        last()

    def train() -> None:
        with BackgroundWriter() as background:
            background.begin(slow)
            raise SecondError

    with pytest.raises(SecondError):
        train()
    assert ended.is_set()
    assert threading.active_count() == before


def test_without_work_there_is_no_thread() -> None:
    before = threading.active_count()
    with BackgroundWriter() as background:
        background.raise_if_failed()
        assert threading.active_count() == before
