"""Which optimizer trains which parameters, at which learning rate."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from segda.engine import checkpoint, optimizers
from segda.engine.optimizers import build, clip_gradients, clips, fuses, set_rates
from segda.errors import ConfigError
from segda.objectives.objective import Objective
from tests.equivalence import setting

SETTINGS: dict[str, Any] = {
    "name": "adam", "learning_rate": 0.1, "betas": (0.5, 0.9), "momentum": 0.9, "weight_decay": 0.01,
    "encoder_factor": 0.1,
}  # fmt: skip


def modules() -> dict[str, nn.Module]:
    return {name: nn.Linear(2, 2) for name in ("head", "encoder.source", "encoder.target", "discriminator.source")}


@pytest.mark.parametrize("name", setting.NAMES)
def test_every_trainable_parameter_has_one_optimizer(name: str) -> None:
    built = setting.networks(setting.method(name))
    objective: Objective = setting.objective_of(setting.method(name), built)
    optimizers = [build(built.modules, players, **SETTINGS) for players in objective.players()]
    optimized = [
        id(parameter)
        for optimizer in optimizers if optimizer is not None
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]  # fmt: skip
    trainable = [id(p) for module in built.modules.values() for p in module.parameters() if p.requires_grad]
    assert sorted(optimized) == sorted(trainable)


def test_encoders_have_a_rate_of_their_own() -> None:
    optimizer = build(modules(), ["head", "encoder.target", "encoder.source"], **SETTINGS)
    assert optimizer is not None
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.01, 0.01, 0.1])
    set_rates(optimizer, 0.5)
    set_rates(optimizer, 0.5)  # relative to the base rate, not to the last one
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.005, 0.005, 0.05])


def test_the_order_of_building_does_not_matter() -> None:
    built = modules()
    first = build(built, ["head", "encoder.source"], **SETTINGS)
    second = build(dict(reversed(built.items())), ["encoder.source", "head"], **SETTINGS)
    assert first is not None
    assert second is not None
    for one, two in zip(first.param_groups, second.param_groups, strict=True):
        assert [id(parameter) for parameter in one["params"]] == [id(parameter) for parameter in two["params"]]


def test_frozen_parameters_are_left_out() -> None:
    built = modules()
    built["head"].bias.requires_grad_(False)
    optimizer = build(built, ["head"], **SETTINGS)
    assert optimizer is not None
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(built["head"].weight)]
    assert build(built, [], **SETTINGS) is None


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_the_named_optimizer_with_its_settings(name: str, kind: type) -> None:
    optimizer = build(modules(), ["head"], **{**SETTINGS, "name": name})
    assert type(optimizer) is kind
    assert optimizer is not None
    (group,) = optimizer.param_groups
    assert group["weight_decay"] == 0.01
    assert group["momentum" if name == "sgd" else "betas"] == (0.9 if name == "sgd" else (0.5, 0.9))


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.name: unknown optimizer 'lion'; valid: adam, adamw, sgd"):
        build(modules(), ["head"], **{**SETTINGS, "name": "lion"})


@pytest.mark.promise("fused-optimizers")
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_one_kernel_updates_all(name: str) -> None:
    fused = build(modules(), ["head"], **{**SETTINGS, "name": name})
    assert fused is not None
    assert fused.param_groups[0]["fused"]
    assert fuses(torch.device("cuda"))
    with torch.device("meta"):
        tried = build(modules(), ["head"], **{**SETTINGS, "name": name})
    assert tried is not None
    assert not tried.param_groups[0]["fused"]


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_moments_go_on_in_the_memory_format_of_their_parameters(name: str) -> None:
    """A file holds them contiguous; the fused kernel pairs numbers by their place in memory."""

    def made() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        layer = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        optimizer = build({"head": layer}, ["head"], **{**SETTINGS, "name": name})
        assert optimizer is not None
        return layer, optimizer

    def step(layer: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
        optimizer.zero_grad()
        image = torch.arange(75.0).view(1, 3, 5, 5).mul(number).sin()
        layer(image).square().sum().backward()
        optimizer.step()

    (one, before), (two, after) = made(), made()
    for number in (1, 2):
        step(one, before, number)
    two.load_state_dict(one.state_dict())
    tensors, groups = checkpoint.collect_optimizer(before)
    stored = {key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in tensors.items()}
    checkpoint.restore_optimizer(after, stored, json.loads(json.dumps(groups)))
    for number in (3, 4):
        step(one, before, number)
        step(two, after, number)
    assert torch.equal(one.weight, two.weight)


@pytest.mark.promise("fused-optimizers")
@pytest.mark.parametrize("first_is_fused", [False, True])
def test_a_checkpoint_of_either_kind_goes_on_in_the_other(
    first_is_fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is converted for the resuming machine: only one kind stores the update count on the device."""

    def made(is_fused: bool) -> tuple[nn.Linear, torch.optim.Optimizer]:
        monkeypatch.setattr(optimizers, "fuses", lambda device: is_fused)
        torch.manual_seed(0)
        layer = nn.Linear(3, 2)
        optimizer = build({"head": layer}, ["head"], **SETTINGS)
        assert optimizer is not None
        return layer, optimizer

    def step(layer: nn.Linear, optimizer: torch.optim.Optimizer, number: int) -> None:
        optimizer.zero_grad()
        layer(torch.full((1, 3), float(number))).square().sum().backward()
        optimizer.step()

    (one, before), (two, after), (three, uninterrupted) = made(first_is_fused), made(not first_is_fused), made(False)
    for number in (1, 2):
        step(one, before, number)
        step(three, uninterrupted, number)
    two.load_state_dict(one.state_dict())
    tensors, groups = checkpoint.collect_optimizer(before)
    checkpoint.restore_optimizer(after, tensors, json.loads(json.dumps(groups)))
    assert bool(after.param_groups[0]["fused"]) is not first_is_fused
    for number in (3, 4):
        step(two, after, number)
        step(three, uninterrupted, number)
    torch.testing.assert_close(two.weight, three.weight)
    assert {float(state["step"]) for state in after.state.values()} == {4.0}


class Transformer(nn.Module):
    """A plain transformer in small: embedding, layers, normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 4, 2))
        self.embed = nn.Linear(3, 2)
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.norm = nn.LayerNorm(2)


def names(groups: list[dict[str, Any]], module: nn.Module) -> list[tuple[set[str], float, float]]:
    """The groups: names of the parameters, rate, weight decay."""
    named = {id(parameter): name for name, parameter in module.named_parameters()}
    return [
        ({named[id(each)] for each in group["params"]}, pytest.approx(group["lr"]), group["weight_decay"])
        for group in groups
    ]


def test_weights_alone_decay() -> None:
    module = Transformer()
    optimizer = build({"encoder": module}, ["encoder"], **SETTINGS, weight_decay_on="weights")
    assert optimizer is not None
    weights = {"embed.weight", "layers.0.weight", "layers.1.weight"}
    spared = {"pos_embed", "embed.bias", "layers.0.bias", "layers.1.bias", "norm.weight", "norm.bias"}
    assert names(optimizer.param_groups, module) == [(weights, 0.01, 0.01), (spared, 0.01, 0.0)]


def test_each_layer_has_its_share_of_the_rate() -> None:
    """The embedding is three layers from the output, the normalisation is at it."""
    module = Transformer()
    optimizer = build({"encoder": module, "head": nn.Linear(1, 1)}, ["encoder", "head"], **SETTINGS, layer_decay=0.5)
    assert optimizer is not None
    assert names(optimizer.param_groups[:4], module) == [
        ({"pos_embed", "embed.weight", "embed.bias"}, 0.01 / 8, 0.01),
        ({"layers.0.weight", "layers.0.bias"}, 0.01 / 4, 0.01),
        ({"layers.1.weight", "layers.1.bias"}, 0.01 / 2, 0.01),
        ({"norm.weight", "norm.bias"}, 0.01, 0.01),
    ]
    assert optimizer.param_groups[4]["lr"] == 0.1


def test_layer_decay_needs_layers() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.layer_decay: 0\.5, but encoder\.source names no layers; use"):
        build(modules(), ["encoder.source"], **SETTINGS, layer_decay=0.5)


@pytest.mark.parametrize("limit", [0.1, 2.0, 1e6])
def test_gradients_of_all_networks_of_a_player_are_clipped_together_as_torch_does(limit: float) -> None:
    """Two layers' gradients have one norm: sqrt(2 * 4 + 4 * 9 + 2 * 16) = 8.718, since one is not reached."""
    gradients = [None, torch.full((2,), 2.0), torch.full((2, 2), 3.0), torch.full((2,), 4.0)]

    def clipped(clip: Callable[[torch.optim.Optimizer, list[nn.Parameter]], object]) -> list[torch.Tensor | None]:
        optimizer = build(modules(), ["head", "encoder.source"], **SETTINGS, clip_gradient_norm=limit)
        assert optimizer is not None
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        clip(optimizer, parameters)
        return [parameter.grad for parameter in parameters]

    ours = clipped(lambda optimizer, parameters: clip_gradients(optimizer))
    torchs = clipped(lambda optimizer, parameters: torch.nn.utils.clip_grad_norm_(parameters, limit))
    factor = min(1.0, limit / math.sqrt(2 * 4 + 4 * 9 + 2 * 16))
    assert ours[0] is None
    for our, torchs_own, gradient in zip(ours[1:], torchs[1:], gradients[1:], strict=True):
        assert our is not None
        assert torchs_own is not None
        assert gradient is not None
        torch.testing.assert_close(our, gradient * factor)
        assert torch.equal(our, torchs_own)


def test_without_a_norm_nothing_is_clipped_and_a_checkpoint_is_as_before() -> None:
    optimizer = build(modules(), ["head"], **SETTINGS)
    assert optimizer is not None
    assert not clips(optimizer)
    assert "clip_gradient_norm" not in optimizer.param_groups[0]
