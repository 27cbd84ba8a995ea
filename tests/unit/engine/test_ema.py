"""The moving average, against values computed by hand."""

import math

import pytest
import torch
from torch import nn

from segda.engine.ema import MovingAverage


def test_the_average_by_hand() -> None:
    """Decay is `min(0.3, (1 + step) / (10 + step))`: 0.1, 2/11, 3/12, then 0.3."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    average = MovingAverage({"head": module}, decay=0.3)
    nn.init.constant_(module.weight, 2.0)
    expected = 1.0
    for step, decay in enumerate([0.1, 2 / 11, 0.25, 0.3, 0.3]):
        average.update({"head": module}, step)
        expected = decay * expected + (1 - decay) * 2.0
        assert average.modules["head"].weight.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("warmup", "decays"), [(0.0, [0.9, 0.9]), (1.0, [1 / 2, 2 / 3, 3 / 4, 4 / 5])])
def test_its_warm_up_by_hand(warmup: float, decays: list[float]) -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    average = MovingAverage({"head": module}, 0.9, warmup)
    nn.init.constant_(module.weight, 0.0)
    for step in range(len(decays)):
        average.update({"head": module}, step)
    assert average.modules["head"].weight.item() == pytest.approx(math.prod(decays))


def test_running_statistics_are_averaged_and_counters_copied() -> None:
    module = nn.BatchNorm2d(1)
    average = MovingAverage({"encoder": module}, decay=0.999)
    module.running_mean.fill_(10.0)
    module.num_batches_tracked.fill_(7)
    average.update({"encoder": module}, 0)
    followed = average.modules["encoder"]
    assert followed.running_mean.item() == pytest.approx(9.0)
    assert followed.num_batches_tracked.item() == 7


def test_the_average_is_apart_frozen_and_in_eval_mode() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train()
    followed = MovingAverage({"head": module}, decay=0.9).modules["head"]
    assert module.training
    assert module[0].weight.requires_grad
    assert not any(part.training for part in followed.modules())
    assert not any(parameter.requires_grad for parameter in followed.parameters())
    with torch.no_grad():
        module[0].weight.add_(1.0)
    assert not torch.equal(module[0].weight, followed[0].weight)
