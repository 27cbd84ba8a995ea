from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.errors import ConfigError
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import Networks
from segda.objectives import draw
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.terms.latent_adversarial import LatentAdversarial


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, self.layer(image)]


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 1, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput(self.layer(x))


class Posterior(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.3))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z, self.scale * torch.ones_like(z)


def passed(batch: Any, task: Any) -> tuple[ForwardPass, Networks]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        modules = {"encoder": Encoder(), "discriminator.latent": Discriminator(), "posterior": Posterior()}
    networks = Networks(modules, True)
    return ForwardPass(
        batch, networks, task, seed=5, progress=0.0, pools={}, gather=lambda x: x, teacher=None
    ), networks


def test_representations_pass_for_the_prior(task: Any, batch_of: Any) -> None:
    p, networks = passed(batch_of(), task)
    judge = networks.modules["discriminator.latent"]
    expected = sum(-judge(p.z(domain)).realness.sigmoid().log().mean() for domain in ("source", "target"))
    torch.testing.assert_close(LatentAdversarial(1.0).generator(p), expected)


def test_the_discriminator_tells_the_prior_from_representations(task: Any, batch_of: Any) -> None:
    p, networks = passed(batch_of(), task)
    judge = networks.modules["discriminator.latent"]
    prior = draw.normal(5, "latent_adversarial/target", p.samples("target").position, (2, 8, 10))
    real, fake = judge(prior).realness, judge(p.z("target")).realness
    bce = functional.binary_cross_entropy_with_logits
    term = LatentAdversarial(1.0, domains=("target",))
    loss = term.discriminator(p)
    torch.testing.assert_close(loss, (bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))) / 2)
    loss.backward()
    assert networks.modules["encoder"].layer.weight.grad is None
    assert judge.layer.weight.grad.abs().sum() > 0
    accuracy = ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2
    torch.testing.assert_close(term.measures(p)["target_accuracy"], accuracy)


def test_sampling_trains_the_posterior_too(task: Any, batch_of: Any) -> None:
    p, networks = passed(batch_of(), task)
    term = LatentAdversarial(1.0, domains=("source",), latent="sampled")
    loss = term.generator(p)
    judged = networks.modules["discriminator.latent"](p.latent_sample("source")[-1]).realness
    torch.testing.assert_close(loss, functional.softplus(-judged).mean())
    loss.backward()
    assert networks.modules["posterior"].scale.grad != 0
    assert networks.modules["encoder"].layer.weight.grad.abs().sum() > 0
    assert term.needs() == {"encoder", "discriminator.latent", "posterior"}


def test_a_gradient_penalty_reaches_the_discriminator_only(task: Any, batch_of: Any) -> None:
    p, networks = passed(batch_of(), task)
    loss = LatentAdversarial(1.0, loss="wgan_gp").discriminator(p)
    plain = LatentAdversarial(1.0, loss="wgan_gp", penalty=0.0).discriminator(passed(batch_of(), task)[0])
    # A linear critic's slope is the same everywhere: its weight, spread over the 80 places that are averaged.
    slope = networks.modules["discriminator.latent"].layer.weight.norm() / 80**0.5
    torch.testing.assert_close(loss - plain, 2 * 10 * (slope - 1).square())
    loss.backward()
    assert networks.modules["encoder"].layer.weight.grad is None


def test_no_domain_is_named() -> None:
    with pytest.raises(ConfigError, match=r"latent_adversarial\.domains: empty"):
        LatentAdversarial(1.0, domains=())
