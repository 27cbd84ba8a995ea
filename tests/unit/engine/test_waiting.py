import time
from collections.abc import Iterator

import pytest

from segda.engine.waiting import Waiting


def test_the_share_is_of_the_time_since_it_was_asked_for_last(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def items() -> Iterator[int]:
        for seconds in (1, 2, 4):
            clock[0] += seconds
            yield seconds

    waiting = Waiting(items())
    assert next(waiting) == 1
    clock[0] += 3  # of work
    assert next(waiting) == 2
    clock[0] += 6
    assert waiting.share() == pytest.approx(3 / 12)
    assert next(waiting) == 4
    assert waiting.share() == 1
    with pytest.raises(StopIteration):
        next(waiting)
    clock[0] += 5
    assert waiting.share() == 0
