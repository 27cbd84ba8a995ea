from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import Networks
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.terms.paired_adversarial import PairedAdversarial


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, self.layer(image)]


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 3, 1)

    def forward(self, features: list[Tensor], domain: str) -> Tensor:
        return self.layer(features[-1]).tanh()


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(6, 1, 3)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput(self.layer(x))


def passed(batch: Any, task: Any) -> tuple[ForwardPass, Networks]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        modules = {"encoder": Encoder(), "decoder": Decoder(), "discriminator.pair": Discriminator()}
    networks = Networks(modules, True)
    return ForwardPass(
        batch, networks, task, seed=0, progress=0.0, pools={}, gather=lambda x: x, teacher=None
    ), networks


def test_both_sides_see_the_source_image_first(task: Any, batch_of: Any) -> None:
    p, networks = passed(batch_of(), task)
    judge = networks.modules["discriminator.pair"]
    x, y = p.image("source"), p.image("target")
    fake = judge(torch.cat([x, p.translated("source")], 1)).realness
    real = judge(torch.cat([x, y], 1)).realness
    bce = functional.binary_cross_entropy_with_logits
    term = PairedAdversarial(1.0)
    torch.testing.assert_close(term.generator(p), bce(fake, torch.ones_like(fake)))
    expected = (bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))) / 2
    torch.testing.assert_close(term.discriminator(p), expected)
    accuracy = ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2
    torch.testing.assert_close(term.measures(p)["accuracy"], accuracy)


def test_the_discriminators_side_leaves_the_translator_alone(task: Any, batch_of: Any) -> None:
    p, networks = passed(batch_of(), task)
    PairedAdversarial(1.0, loss="lsgan", r1=10.0).discriminator(p).backward()
    assert networks.modules["decoder"].layer.weight.grad is None
    assert networks.modules["discriminator.pair"].layer.weight.grad.abs().sum() > 0
