from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.errors import ConfigError
from segda.networks.networks import Networks
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.terms.identity import Identity


class Pyramid(nn.Module):
    """z is twice the image."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, 2 * image]


class Half(nn.Module):
    def forward(self, features: list[Tensor], domain: str) -> Tensor:
        return features[-1] / 2


class Posterior(nn.Module):
    """Mean z, standard deviation e."""

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z, torch.full_like(z, 2.0)


def forward_pass(batch: Any, task: Any, seed: int = 0) -> ForwardPass:
    modules = {"encoder": Pyramid(), "decoder": Half(), "posterior": Posterior()}
    return ForwardPass(
        batch, Networks(modules, True), task, seed=seed, progress=0.0, pools={}, gather=lambda x: x, teacher=None
    )


def test_half_of_the_pixels_are_black_for_the_encoder_in_all_channels(task: Any, batch_of: Any) -> None:
    p = forward_pass(batch_of(64), task)
    read: list[Tensor] = []
    encode = p.encode
    p.encode = lambda image, domain: read.append(image) or encode(image, domain)
    loss = Identity(1.0, domains=("target",), loss="l2", corrupt=0.5).generator(p)
    image, black = p.image("target"), read[0] == -1
    assert torch.equal(black.all(1), black.any(1))
    assert torch.equal(read[0][~black], image[~black])
    assert black.float().mean().item() == pytest.approx(0.5, abs=0.02)
    # A perfect decoder: the loss is that of the blackened pixels, against the clean image.
    torch.testing.assert_close(loss, ((image + 1).square() * black).mean())


def test_share_of_black_pixels_follows_the_option(task: Any, batch_of: Any) -> None:
    p = forward_pass(batch_of(64), task)
    for share in (0.1, 0.8):
        corrupted = Identity(1.0, corrupt=share)._corrupted(p, "source")
        assert (corrupted == -1).float().mean().item() == pytest.approx(share, abs=0.02)


def test_noise_depends_on_the_samples_position_and_the_seed(task: Any, batch_of: Any) -> None:
    batch = batch_of(4)
    target = batch.target._replace(image=batch.target.image[2:], position=batch.target.position[2:])
    last = batch._replace(target=target)
    term = Identity(1.0, corrupt=0.5)
    whole = term._corrupted(forward_pass(batch, task), "target")
    assert torch.equal(term._corrupted(forward_pass(last, task), "target"), whole[2:])
    assert not torch.equal(term._corrupted(forward_pass(batch, task, seed=1), "target"), whole)


def test_needs_the_posterior_only_for_sampling() -> None:
    assert Identity(1.0).needs() == {"encoder", "decoder.source", "decoder.target"}
    assert Identity(1.0, domains=("target",), latent="sampled").needs() == {"encoder", "decoder.target", "posterior"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corrupt": 1.0}, r"corrupt: found 1\.0"),
        ({"corrupt": -0.1}, "corrupt: found -0.1"),
        ({"corrupt": 0.5, "latent": "sampled"}, "corrupt 0.5 and latent 'sampled' exclude"),
        ({"through": "other", "latent": "sampled"}, "through 'other' and latent 'sampled' exclude"),
    ],
)
def test_options_without_sense_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Identity(1.0, **options)
