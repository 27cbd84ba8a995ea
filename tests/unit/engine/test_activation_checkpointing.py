"""Activation checkpointing: the same bits as with stored activations."""

import copy
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipelines.definition.schema import MethodConfig
from pipelines.networks import needed_networks
from segda.engine import activation_checkpointing
from segda.engine.ema import MovingAverage
from segda.engine.state import TrainingState
from segda.engine.synchronized_batch import SynchronizedBatchNorm
from segda.networks import component
from segda.networks.networks import Networks
from segda.networks.networks import build as build_networks
from tests.equivalence import setting
from tests.unit.engine import test_fit

METHODS = ("source_only", "cyclegan", "i2i", "cycada", "self_training", "dann", "pix2pix")


def networks(config: dict[str, Any]) -> Networks:
    """Networks with batch normalisation and dropout wherever possible."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        built = build_networks(
            needed_networks(MethodConfig.model_validate(config)), classes=setting.CLASSES, tied=config["tied"],
            encoder={"name": "small", "width": 3, "blocks": 1},
            head={"name": "linear", "dropout": 0.5},
            decoder={"name": "unet", "dropout": 0.5},
            discriminators={
                "image": {"name": "patch", "width": 3},
                "feature": {"name": "feature", "width": 5},
                "logits": {"name": "fully_convolutional", "width": 3, "layers": 2},
                "pair": {"name": "patch", "width": 3},
            },
        )  # fmt: skip
    for module in built.modules.values():
        module.double()
    return built


def trained(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, again: bool, **changes: Any
) -> tuple[TrainingState, MovingAverage]:
    """Three steps of a method, each logged."""
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
        activation_checkpointing.apply(training.modules)
    torch.manual_seed(5)
    test_fit.run(training, test_fit.batches(itertools.count()), folder, **changes)
    return training, average


def judge(again: bool) -> Networks:
    built = networks(setting.method("source_only"))
    for module in built.modules.values():
        module.requires_grad_(False).eval()
    if again:
        activation_checkpointing.apply(built.modules)
    return built


def tensors(modules: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}


def assert_equal(stored: dict[str, Tensor], recomputed: dict[str, Tensor]) -> None:
    assert stored.keys() == recomputed.keys()
    for name, value in stored.items():
        assert torch.equal(value, recomputed[name]), name


@pytest.mark.promise("recompute")
@pytest.mark.parametrize(
    ("name", "accumulate"), [*((name, 1) for name in METHODS), ("cyclegan", 2), ("self_training", 2)]
)
def test_the_same_bits(name: str, accumulate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters, running statistics, averages and log; networks are called several times a step."""
    stored, stored_average = trained(name, tmp_path / "stored", monkeypatch, False, accumulate=accumulate)
    recomputed, recomputed_average = trained(name, tmp_path / "recomputed", monkeypatch, True, accumulate=accumulate)
    before = tensors(networks(setting.method(name)).modules)
    after = tensors(stored.modules)
    assert any(not torch.equal(after[key], before[key]) for key in after if key.endswith("running_mean"))
    assert_equal(after, tensors(recomputed.modules))
    assert_equal(tensors(stored_average.modules), tensors(recomputed_average.modules))
    logs = [(tmp_path / each / "log.jsonl").read_text().splitlines() for each in ("stored", "recomputed")]
    assert len(logs[0]) == 3
    assert [line.split('"losses"')[1] for line in logs[0]] == [line.split('"losses"')[1] for line in logs[1]]


@pytest.mark.promise("recompute")
@pytest.mark.parametrize(
    "encoder",
    [
        {"name": "dilated_densenet"}, {"name": "dilated_resnet", "depth": 18}, {"name": "densenet", "depth": 13},
        {"name": "smp", "encoder": "mobilenet_v2"}, {"name": "smp", "encoder": "mit_b0"},
    ],
)  # fmt: skip
def test_other_libraries_encoders(encoder: dict[str, Any]) -> None:
    """Growing lists, activations inside normalisation layers, in-place operations, stochastic depth."""
    torch.manual_seed(0)
    stored = component.build("encoder", encoder, "encoder")
    recomputed = copy.deepcopy(stored)
    activation_checkpointing.apply({"encoder": recomputed})
    image = torch.randn(2, 3, 64, 64)
    for network in (stored, recomputed):
        torch.manual_seed(1)
        for _ in range(2):
            torch.stack([feature.square().mean() for feature in network(image)[1:]]).sum().backward()
    assert_equal(stored.state_dict(), recomputed.state_dict())
    gradients = [{name: p.grad for name, p in network.named_parameters()} for network in (stored, recomputed)]
    for name, gradient in gradients[0].items():
        assert gradient is None or torch.equal(gradient, gradients[1][name]), name


def test_a_gradient_of_some_weights_first_and_of_all_then() -> None:
    """Several backward passes through one graph, as for the gradient norms of terms."""
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), nn.Conv2d(4, 2, 3))
    activation_checkpointing.apply({"network": network})
    value = network(torch.randn(2, 3, 8, 8)).square().mean()
    weights = [network[0][0].weight]
    (first,) = torch.autograd.grad(value, weights, retain_graph=True)
    (again,) = torch.autograd.grad(value, weights, retain_graph=True)
    value.backward()
    assert torch.equal(first, again)
    assert torch.equal(first, weights[0].grad)
    assert int(network[0][1].num_batches_tracked) == 1


@pytest.mark.promise("recompute")
def test_statistics_of_all_processes() -> None:
    """`runtime.gather_statistics` also replaces batch normalisation in the recomputed pass."""

    def gathered(tensor: Tensor) -> Tensor:
        return torch.cat([tensor, 2 * tensor])

    def step(again: bool) -> dict[str, Tensor]:
        torch.manual_seed(0)
        network = component.build("encoder", {"name": "small", "width": 3, "blocks": 1}, "encoder")
        if again:
            activation_checkpointing.apply({"network": network}, gathered)
        with SynchronizedBatchNorm(gathered):
            network(torch.randn(2, 3, 16, 16))[-1].square().mean().backward()
        gradients = {f"{name}.grad": p.grad for name, p in network.named_parameters() if p.grad is not None}
        return {**network.state_dict(), **gradients}

    assert_equal(step(False), step(True))


def test_a_copy_computes_with_its_own_weights() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    activation_checkpointing.apply({"network": network})
    other = copy.deepcopy(network)
    image = torch.randn(1, 3, 8, 8)
    before = network(image)
    with torch.no_grad():
        other[0][0].weight.zero_()
        other[0][0].bias.zero_()
    assert torch.equal(network(image), before)
    assert not other(image).any()


def test_discriminators_keep_their_activations() -> None:
    """They are frozen in the forward pass, but not in the backward pass."""
    built = {name: nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())) for name in ("head", "discriminator.a")}
    activation_checkpointing.apply(built)
    assert "forward" in vars(built["head"][0])
    assert "forward" not in vars(built["discriminator.a"][0])


def test_blocks() -> None:
    """Residual blocks, sequences of layers, and convolutions with replicate padding."""
    encoder = component.build("encoder", {"name": "translator", "width": 2, "blocks": 2}, "encoder")
    names = {id(module): name for name, module in encoder.named_modules()}
    assert [names[id(block)] for block in activation_checkpointing.blocks(encoder)] == [
        "stride1", "stride2", "stride4", "blocks.0", "blocks.1"
    ]  # fmt: skip
    decoder = component.build(
        "decoder", {"name": "translator", "blocks": 1}, "decoder", encoder.channels, encoder.strides, ("target",)
    )
    names = {id(module): name for name, module in decoder.named_modules()}
    assert [names[id(block)] for block in activation_checkpointing.blocks(decoder)] == [
        f"tails.target.{index}" for index in range(4)
    ]
