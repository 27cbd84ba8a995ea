from typing import Any

import torch
from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import Networks
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


def forward_pass(batch: Any, task: Any) -> tuple[ForwardPass, Networks]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        modules = {"encoder": Encoder(), "discriminator.latent": Discriminator()}
    networks = Networks(modules, True)
    return ForwardPass(
        batch, networks, task, seed=5, progress=0.0, pools={}, gather=lambda x: x, teacher=None
    ), networks


def test_representations_are_to_score_as_the_prior(task: Any, batch_of: Any) -> None:
    p, networks = forward_pass(batch_of(), task)
    discriminator = networks.modules["discriminator.latent"]
    expected = sum(-discriminator(p.z(domain)).realness.sigmoid().log().mean() for domain in ("source", "target"))
    torch.testing.assert_close(LatentAdversarial(1.0).generator(p), expected)


def test_a_gradient_penalty_reaches_the_discriminator_only(task: Any, batch_of: Any) -> None:
    p, networks = forward_pass(batch_of(), task)
    loss = LatentAdversarial(1.0, loss="wgan_gp").discriminator(p)
    plain = LatentAdversarial(1.0, loss="wgan_gp", penalty=0.0).discriminator(forward_pass(batch_of(), task)[0])
    # A linear critic's slope is the same everywhere: its weight, spread over the 80 positions that are averaged.
    slope = networks.modules["discriminator.latent"].layer.weight.norm() / 80**0.5
    torch.testing.assert_close(loss - plain, 2 * 10 * (slope - 1).square())
    loss.backward()
    assert networks.modules["encoder"].layer.weight.grad is None
