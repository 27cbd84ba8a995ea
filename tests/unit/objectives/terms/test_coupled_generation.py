from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.errors import ConfigError
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import Networks
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.terms.coupled_generation import CoupledGeneration

DOMAINS = ("source", "target")


class Encoder(nn.Module):
    """A first layer for each domain, the last one shared."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.ModuleDict({domain: nn.Conv2d(3, 4, 1) for domain in DOMAINS})
        self.shared = nn.Conv2d(4, 5, 8)

    def forward(self, image: Tensor, domain: str) -> list[Tensor]:
        return [image, self.shared(self.own[domain](image).tanh())]


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(5, 4, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        return self.layer(features[-1])


class Sampler(nn.Module):
    noise = 6

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(6, 8)
        self.own = nn.ModuleDict({domain: nn.Linear(8, 3 * 8 * 8) for domain in DOMAINS})

    def forward(self, noise: Tensor, domain: str) -> Tensor:
        return self.own[domain](self.shared(noise)).view(-1, 3, 8, 8).tanh()


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(5, 1, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput(self.layer(x))


class Classification:
    def supervised_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return functional.cross_entropy(logits[:, :, 0, 0], label)


def passed(batch_of: Any) -> tuple[ForwardPass, dict[str, nn.Module]]:
    batch = batch_of(3)
    source = batch.source._replace(image=batch.source.image[..., :8], label=torch.tensor([0, 3, 1]))
    batch = batch._replace(source=source, target=batch.target._replace(image=batch.target.image[..., :8]))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        modules = {
            "encoder": Encoder(), "head": Head(), "sampler": Sampler(), "discriminator.feature": Discriminator(),
        }  # fmt: skip
    return ForwardPass(
        batch,
        Networks(modules, "partly"),
        Classification(),
        seed=0,
        progress=0.0,
        pools={},
        gather=lambda x: x,
        teacher=None,
    ), modules


def test_generators_side_by_hand(batch_of: Any) -> None:
    p, modules = passed(batch_of)
    # As the released code: the mean over the samples of both domains together.
    z = torch.cat([modules["encoder"](p.sampled(domain), domain)[-1] for domain in DOMAINS])
    expected = functional.softplus(-modules["discriminator.feature"](z).realness).mean()
    torch.testing.assert_close(CoupledGeneration(1.0).generator(p), expected)


def test_discriminators_side_by_hand(batch_of: Any) -> None:
    p, modules = passed(batch_of)
    encoder, judge = modules["encoder"], modules["discriminator.feature"]
    real = {domain: encoder(p.image(domain), domain)[-1] for domain in DOMAINS}
    fake = {domain: encoder(p.sampled(domain).detach(), domain)[-1] for domain in DOMAINS}
    expected = functional.softplus(-judge(torch.cat(list(real.values()))).realness).mean()
    expected = expected + functional.softplus(judge(torch.cat(list(fake.values()))).realness).mean()
    logits = modules["head"]([real["source"]])[:, :, 0, 0]
    expected = expected + 10 * functional.cross_entropy(logits, torch.tensor([0, 3, 1]))
    distance = functional.mse_loss(fake["source"], fake["target"]) * 5  # as the code: times the number of features
    expected = expected + 0.01 * distance
    torch.testing.assert_close(CoupledGeneration(1.0).discriminator(p), expected)


def test_parts_of_weight_0_are_absent(batch_of: Any) -> None:
    p, modules = passed(batch_of)
    CoupledGeneration(1.0, class_weight=0.0, feature_weight=0.0).discriminator(p).backward()
    assert modules["head"].layer.weight.grad is None
    assert modules["encoder"].shared.weight.grad is not None


def test_the_samplers_images_reach_the_discriminators_side_detached(batch_of: Any) -> None:
    p, modules = passed(batch_of)
    CoupledGeneration(1.0).discriminator(p).backward()
    assert all(parameter.grad is None for parameter in modules["sampler"].parameters())
    trained = ("encoder", "head", "discriminator.feature")
    assert all(parameter.grad is not None for name in trained for parameter in modules[name].parameters())


def test_features_that_the_generators_side_kept_frozen_do_not_stop_the_discriminators_side(batch_of: Any) -> None:
    def gradient(kept: bool) -> Tensor:
        p, modules = passed(batch_of)
        modules["encoder"].requires_grad_(False)
        if kept:  # as another term would have it
            p.features("source")
        CoupledGeneration(1.0).generator(p)
        modules["encoder"].requires_grad_(True)
        CoupledGeneration(1.0).discriminator(p).backward()
        return modules["encoder"].own["source"].weight.grad

    torch.testing.assert_close(gradient(True), gradient(False))


def test_both_domains_are_measured(batch_of: Any) -> None:
    p, _ = passed(batch_of)
    assert set(CoupledGeneration(1.0).measures(p)) == {
        f"{domain}_{name}" for domain in ("source", "target") for name in ("accuracy", "advantage")
    }


def test_clipping_holds_for_the_whole_critic() -> None:
    assert CoupledGeneration(1.0, loss="wgan").clipped() == {"encoder", "discriminator.feature"}
    assert CoupledGeneration(1.0).clipped() == set()


def test_encoder_and_head_play_on_the_discriminators_side() -> None:
    assert CoupledGeneration(1.0).discriminators() == {"encoder", "head"}


@pytest.mark.parametrize("option", ["class_weight", "feature_weight"])
def test_negative_weights_are_named(option: str) -> None:
    with pytest.raises(ConfigError, match=rf"coupled_generation\.{option}: found -1"):
        CoupledGeneration(1.0, **{option: -1.0})
