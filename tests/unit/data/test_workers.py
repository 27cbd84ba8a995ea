import os

import pytest

from segda.data import workers


@pytest.mark.parametrize(
    ("available", "processes", "expected"), [(1, 1, 1), (2, 1, 1), (4, 1, 3), (64, 1, 8), (16, 4, 3), (2, 4, 1)]
)
def test_processors_that_are_left_over_load_data(
    monkeypatch: pytest.MonkeyPatch, available: int, processes: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(available)))
    assert workers.available() == available
    assert workers.loading(processes) == expected


def test_processes_of_other_machines_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert workers.here(16) == 16
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert workers.here(16) == 4
