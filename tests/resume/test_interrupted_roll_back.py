"""A training that is stopped by signals and then rolled back comes to the same end as one that was only rolled back."""

import json
import os
import signal
from collections.abc import Collection
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segda.engine import checkpoint
from segda.engine import signals as interruption
from tests.unit.engine.test_roll_back import go_on, lines

STEPS, SAVE_EVERY = 14, 4
BAD = (7, 12)


def train(folder: Path, signals: Collection[int]) -> dict[str, Tensor]:
    """To the end, started again after each signal; a signal comes while its batch is read, and only the first time."""
    due = set(signals)

    def bad(number: int) -> bool:
        if number in due:
            due.remove(number)
            os.kill(os.getpid(), signal.SIGTERM)
        return number in BAD

    folder.mkdir()
    for _ in range(1 + len(signals)):
        with interruption.handle_signals():
            try:
                return go_on(folder, bad, steps=STEPS, save_every=SAVE_EVERY)
            except interruption.StoppedError:
                continue
    raise AssertionError("it was stopped more often than there were signals")


def scheduled(folder: Path) -> dict[str, dict[str, Tensor]]:
    return {
        place.name: checkpoint.read(place)[0]
        for place in (folder / "checkpoints").iterdir()
        if checkpoint.is_scheduled(place)
    }


# Before the trouble, so that it would be the newest good checkpoint; twice; with a scheduled one in between; in the
# step that shows the trouble; after the first roll back.
@pytest.mark.parametrize("signals", [{4}, {4, 5}, {2, 5}, {7}, {8, 9}], ids=str)
def test_it_ends_with_the_same_bits(tmp_path: Path, signals: set[int]) -> None:
    expected = train(tmp_path / "undisturbed", ())
    found = train(tmp_path / "stopped", signals)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    assert lines(tmp_path / "stopped") == lines(tmp_path / "undisturbed")
    assert [line["roll_back"]["to"] for line in lines(tmp_path / "stopped") if "roll_back" in line] == [4, 8]
    kept, wanted = scheduled(tmp_path / "stopped"), scheduled(tmp_path / "undisturbed")
    assert kept.keys() == wanted.keys()
    for step, tensors in wanted.items():
        assert all(torch.equal(tensors[name], kept[step][name]) for name in tensors), step


def test_a_signal_leaves_a_checkpoint_that_says_so(tmp_path: Path) -> None:
    with interruption.handle_signals(), pytest.raises(interruption.StoppedError):
        go_on(tmp_path, lambda number: number == 5 and bool(os.kill(os.getpid(), signal.SIGTERM)), save_every=4)
    found = {path.name: json.loads((path / "state.json").read_text()) for path in (tmp_path / "checkpoints").iterdir()}
    assert {name: plain["scheduled"] for name, plain in found.items()} == {
        "step-00000000": True, "step-00000004": True, "step-00000006": False
    }  # fmt: skip


def test_no_number_of_signals_drives_out_what_a_roll_back_needs(tmp_path: Path) -> None:
    """And they leave no more than two checkpoints of their own, which the next scheduled one takes the place of."""

    def save(step: int, scheduled: bool) -> set[int]:
        checkpoint.save(tmp_path, step, {"x": torch.ones(1)}, {"scheduled": scheduled}, reach=10)
        return {checkpoint.step_of(place) for place in tmp_path.iterdir()}

    for step in (0, 10, 20):
        there = save(step, True)
    assert there == {10, 20}
    for step in (21, 23, 28):
        there = save(step, False)
    assert there == {10, 20, 23, 28}
    assert save(30, True) == {20, 28, 30}
    assert save(40, True) == {30, 40}
    save(45, False)
    assert checkpoint.drop_from(tmp_path, 48)
    assert checkpoint.load_newest(tmp_path)[0] == 40
