"""Activations computed anew in the backward pass: the same bits as kept ones, in less memory."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipelines import training as stages
from pipelines.stage import Method
from segda.engine import recompute
from segda.engine.ema import MovingAverage
from segda.engine.fit import Training
from segda.networks.networks import Networks
from segda.networks.networks import build as build_networks
from tests.equivalence import setting
from tests.unit.engine import test_fit

METHODS = ("source_only", "cyclegan", "i2i", "cycada", "self_training", "dann", "deep_coral", "drcn", "pix2pix")


def networks(config: dict[str, Any]) -> Networks:
    """With batch normalisation and dropout wherever they can be."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        built = build_networks(
            stages.needs_of(Method.model_validate(config)), classes=setting.CLASSES, tied=config["tied"],
            encoder={"name": "bottleneck", "encoder": {"name": "small", "width": 3, "blocks": 1}, "dropout": 0.3}
            if "discriminator.image" in config else {"name": "small", "width": 3, "blocks": 1},
            head={"name": "linear", "dropout": 0.5},
            decoder={"name": "unet", "dropout": 0.5},
            discriminators={
                "image": {"name": "patch", "width": 3},
                "feature": {"name": "feature", "width": 5},
                "pair": {"name": "patch", "width": 3},
            },
        )  # fmt: skip
    for module in built.modules.values():
        module.double()
    return built


def trained(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, again: bool, **changes: Any
) -> tuple[Training, MovingAverage]:
    """Three steps of a method, each of them logged."""
    made: list[Networks] = []

    def build(config: dict[str, Any]) -> Networks:
        made.append(networks(config))
        return made[-1]

    monkeypatch.setattr(setting, "networks", build)
    monkeypatch.setattr(setting, "judge", lambda: judge(again))
    training = test_fit.training(name)
    average = MovingAverage(training.modules, 0.9)
    training.average = average
    if again:
        recompute.apply(training.modules)
    torch.manual_seed(5)
    test_fit.run(training, test_fit.batches(itertools.count()), folder, **changes)
    return training, average


def judge(again: bool) -> Networks:
    built = networks(setting.method("source_only"))
    for module in built.modules.values():
        module.requires_grad_(False).eval()
    if again:
        recompute.apply(built.modules)
    return built


def tensors(modules: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}


def assert_equal(kept: dict[str, Tensor], anew: dict[str, Tensor]) -> None:
    assert kept.keys() == anew.keys()
    for name, value in kept.items():
        assert torch.equal(value, anew[name]), name


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", METHODS)
def test_the_same_bits(name: str, accumulate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters, running statistics, their averages and the log, where networks are called several times a step."""
    if accumulate == 2 and name not in ("cyclegan", "self_training"):
        pytest.skip("the others accumulate alike")
    kept, kept_average = trained(name, tmp_path / "kept", monkeypatch, False, accumulate=accumulate)
    anew, anew_average = trained(name, tmp_path / "anew", monkeypatch, True, accumulate=accumulate)
    before = tensors(networks(setting.method(name)).modules)
    after = tensors(kept.modules)
    assert any(not torch.equal(after[key], before[key]) for key in after if key.endswith("running_mean"))
    assert_equal(after, tensors(anew.modules))
    assert_equal(tensors(kept_average.modules), tensors(anew_average.modules))
    logs = [(tmp_path / each / "log.jsonl").read_text().splitlines() for each in ("kept", "anew")]
    assert len(logs[0]) == 3
    assert [line.split('"losses"')[1] for line in logs[0]] == [line.split('"losses"')[1] for line in logs[1]]


