import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from segda.errors import ConfigError
from segda.objectives.objective import Objective, build


def networks_of(stand_in: Any, tied: bool = True) -> Any:
    networks = stand_in(tied=tied)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        networks.modules["discriminator.conditional"] = type(networks.modules["discriminator.feature"])(4 * 5)
    return networks


def played(networks: Any, task: Any, batch: Any, progress: float = 0.5, **options: Any) -> Any:
    terms = build({"conditional_adversarial": {"weight": 1.0, **options}})
    objective = Objective(terms, networks, task, seed=0)
    p = objective.forward(batch, progress)
    generator = objective.generator_losses(p)["conditional_adversarial"]
    return p, generator, objective.discriminator_losses(p).get("conditional_adversarial")


def moved(networks: Any) -> set[str]:
    found = {
        name for name, module in networks.modules.items()
        if any(q.grad is not None and q.grad.abs().sum() > 0 for q in module.parameters())
    }  # fmt: skip
    for module in networks.modules.values():
        module.zero_grad(set_to_none=True)
    return found


def by_hand(networks: Any, p: Any, domain: str) -> Any:
    z, probability = p.z(domain), p.logits(domain).softmax(1)
    channels = [probability[:, k] * z[:, c] for k in range(4) for c in range(5)]
    return networks.modules["discriminator.conditional"](torch.stack(channels, dim=1)).realness


def test_discriminator_sees_every_class_times_every_channel(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = networks_of(stand_in)
    p, loss, alternating = played(networks, task, batch_of())
    s, t = by_hand(networks, p, "source"), by_hand(networks, p, "target")
    torch.testing.assert_close(loss, (functional.softplus(-s).mean() + functional.softplus(t).mean()) / 2)
    assert alternating is None


@pytest.mark.parametrize(
    ("options", "generator", "discriminator"),
    [
        ({}, {"encoder.source", "encoder.target", "discriminator.conditional"}, set()),
        ({"fool": "target"}, {"encoder.target", "discriminator.conditional"}, set()),
        ({"detach_predictions": False},
         {"encoder.source", "encoder.target", "head", "discriminator.conditional"}, set()),
        ({"update": "alternating"}, {"encoder.source", "encoder.target"}, {"discriminator.conditional"}),
        ({"update": "alternating", "fool": "target", "loss": "hinge", "r1": 1.0, "entropy": True},
         {"encoder.target"}, {"discriminator.conditional"}),
    ],
)  # fmt: skip
def test_gradients_reach_exactly_these(
    options: dict[str, Any], generator: set[str], discriminator: set[str], stand_in: Any, task: Any, batch_of: Any
) -> None:
    networks = networks_of(stand_in, tied=False)
    _, loss, own = played(networks, task, batch_of(), **options)
    loss.backward()
    assert moved(networks) == generator
    if own is not None:
        own.backward()
    assert moved(networks) == discriminator


def test_a_sure_prediction_counts_fully_and_an_undecided_one_least(stand_in: Any, task: Any, batch_of: Any) -> None:
    def loss(sharpness: float, entropy: bool) -> float:
        networks = networks_of(stand_in)
        head = networks.modules["head"]
        with torch.no_grad():
            head.weight.zero_()
            head.bias.copy_(torch.tensor([sharpness, 0.0, 0.0, 0.0]))
        return played(networks, task, batch_of(), entropy=entropy)[1].item()

    assert loss(100.0, True) == pytest.approx(loss(100.0, False))
    assert loss(0.0, True) == pytest.approx((1 + 1 / 4) / 2 * loss(0.0, False))
    p = math.exp(1) / (math.exp(1) + 3)
    q = (1 - p) / 3
    entropy = -p * math.log(p) - 3 * q * math.log(q)
    assert loss(1.0, True) == pytest.approx((1 + math.exp(-entropy)) / 2 * loss(1.0, False), rel=1e-5)


@pytest.mark.parametrize("update", ["reversal", "alternating"])
def test_entropy_weights_do_not_depend_on_how_a_batch_is_split(
    update: str, stand_in: Any, task: Any, batch_of: Any
) -> None:
    networks, whole = networks_of(stand_in), batch_of(4)

    def half(start: int) -> Any:
        rows = slice(start, start + 2)
        cut = [
            samples._replace(
                image=samples.image[rows], position=samples.position[rows], key=samples.key[rows],
                label=None if samples.label is None else samples.label[rows],
            )
            for samples in whole
        ]  # fmt: skip
        return type(whole)(*cut)

    options = {"entropy": True, "update": update}
    parts = [played(networks, task, half(start), **options) for start in (0, 2)]
    _, generator, discriminator = played(networks, task, whole, **options)
    torch.testing.assert_close((parts[0][1] + parts[1][1]) / 2, generator)
    if discriminator is not None:
        torch.testing.assert_close((parts[0][2] + parts[1][2]) / 2, discriminator)


def test_strength_scales_what_the_encoder_gets_and_nothing_else(stand_in: Any, task: Any, batch_of: Any) -> None:
    def gradients(progress: float) -> dict[str, Any]:
        networks = networks_of(stand_in)
        played(networks, task, batch_of(), progress, strength="dann")[1].backward()
        return {
            "encoder": networks.modules["encoder"].layer.weight.grad,
            "discriminator": networks.modules["discriminator.conditional"].judging.weight.grad,
        }

    first, second = gradients(0.1), gradients(0.2)
    factor = math.tanh(1.0) / math.tanh(0.5)  # 2 / (1 + exp(-x)) - 1 = tanh(x / 2)
    torch.testing.assert_close(second["encoder"], factor * first["encoder"])
    torch.testing.assert_close(second["discriminator"], first["discriminator"])


def test_a_coarser_map_of_features_gets_averaged_probabilities(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = networks_of(stand_in)

    class Head(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return functional.interpolate(z[:, :4], scale_factor=2)

    networks.modules["head"] = Head()
    networks.modules["discriminator.conditional"] = type(networks.modules["discriminator.feature"])(20)
    p, loss, _ = played(networks, task, batch_of())
    seen = build({"conditional_adversarial": {"weight": 1.0}})["conditional_adversarial"].seen(p, "source")
    assert seen.shape == (2, 20, 8, 10)
    torch.testing.assert_close(seen[:, :5], p.z("source")[:, :4].softmax(1)[:, :1] * p.z("source"))
    assert torch.isfinite(loss)


def test_needs_and_refusals() -> None:
    term = build({"conditional_adversarial": {"weight": 1.0}})["conditional_adversarial"]
    assert term.needs() == {"encoder", "head", "discriminator.conditional"}
    assert term.joint_discriminators() == {"discriminator.conditional"}
    with pytest.raises(ConfigError, match="conditional_adversarial: loss 'wgan' clips.*use loss 'wgan_gp'"):
        build({"conditional_adversarial": {"weight": 1.0, "loss": "wgan"}})
