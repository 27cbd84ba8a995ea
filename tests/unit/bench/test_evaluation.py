"""The evaluation benchmark: both sides compute the same, and the parts add up to the command's time."""

import pytest
import torch

from tools.bench import evaluation as bench

TINY = {"encoder": {"name": "small", "width": 4, "blocks": 1}, "head": {"name": "small", "width": 4}}


def test_classes_one_by_one_are_those_of_argmax() -> None:
    sides = bench.predictors(size=(512, 1024), seen=(256, 512))
    assert torch.equal(sides["ours"](), sides["plain"]())
    assert len(sides["ours"]().unique()) == 19


def test_windows_in_batches_answer_as_one_by_one() -> None:
    with torch.inference_mode():
        sides = bench.windows(TINY, seen=(64, 96), window=(32, 32))
        torch.testing.assert_close(sides["ours"](), sides["plain"]())


def test_the_share_leaves_start_up_out() -> None:
    spent = {"start-up": 5.0, "network": 6.0, "decode": 1.0, "count": 1.0, "rest": 2.0, "total": 15.0}
    assert bench.share(spent) == pytest.approx(20)


def test_the_parts_of_a_command_add_up() -> None:
    spent = bench.command(TINY, images=2, size=(64, 128), seen=(64, 128))
    total = spent.pop("total")
    assert spent.keys() == {"start-up", "network", "decode", "count", "rest"}
    assert min(spent.values()) > 0
    assert sum(spent.values()) == pytest.approx(total)
