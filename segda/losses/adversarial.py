"""Adversarial losses: what a discriminator learns, and what the networks that fool it learn.

A score is a discriminator's raw output, without sigmoid; high means real. Each value is the mean over images and
positions, so it does not depend on how a batch is split over processes.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

AdversarialLoss = Literal["bce", "lsgan", "wgan"]


def as_real(score: Tensor, loss: AdversarialLoss) -> Tensor:
    """How far `score` is from the verdict "real".

    `bce`: `-log sigmoid(s)`; `lsgan`: `(s - 1)^2`; `wgan`: `-s`.

    Args:
        score: raw scores of any shape `[B, ...]`.
        loss: the family.

    Returns:
        Scalar, the mean over all scores.
    """
    if loss == "bce":
        return functional.softplus(-score).mean()
    if loss == "lsgan":
        return (score - 1).square().mean()
    return -score.mean()


def as_fake(score: Tensor, loss: AdversarialLoss) -> Tensor:
    """How far `score` is from the verdict "fake".

    `bce`: `-log(1 - sigmoid(s))`; `lsgan`: `s^2`; `wgan`: `s`. Arguments as in `as_real`.
    """
    if loss == "bce":
        return functional.softplus(score).mean()
    if loss == "lsgan":
        return score.square().mean()
    return score.mean()


def generator(score: Tensor, loss: AdversarialLoss) -> Tensor:
    """What the fooling networks minimise: the non-saturating loss, "my fakes look real".

    Args:
        score: raw scores of fakes, `[B, ...]`.
        loss: the family.

    Source: bce: Goodfellow et al. 2014, section 3; lsgan: Mao et al. 2017, without the factor 1/2, as in CycleGAN's
    code, to which its cycle weight of 10 is relative; wgan: Arjovsky et al. 2017.
    """
    return as_real(score, loss)


def discriminator(real: Tensor, fake: Tensor, loss: AdversarialLoss) -> Tensor:
    """What a discriminator minimises: tell real from fake.

    `bce` and `lsgan` average their two sides (CycleGAN, pix2pix and DANN do); `wgan` is `E fake - E real`, to which
    `gradient_penalty` belongs.

    Args:
        real: raw scores of real samples, `[B, ...]`.
        fake: raw scores of fakes, `[B, ...]`.
        loss: the family.
    """
    both = as_real(real, loss) + as_fake(fake, loss)
    return both if loss == "wgan" else both / 2


def confusion(first: Tensor, second: Tensor, loss: AdversarialLoss) -> Tensor:
    """Half the discriminator's loss with the right domains plus half with inverted ones: least when it cannot tell.

    Args:
        first: raw scores of one domain, `[B, ...]`.
        second: raw scores of the other, `[B, ...]`.
        loss: `bce` or `lsgan`; the sum vanishes for `wgan`.

    Source: Hoffman et al. 2016 (FCNs in the Wild), `(L_D + L_Dinv) / 2`.
    """
    return (discriminator(first, second, loss) + discriminator(second, first, loss)) / 2


def accuracy(real: Tensor, fake: Tensor, loss: AdversarialLoss) -> Tensor:
    """Share of scores on the right side, in `[0, 1]`; for `wgan`, which has no threshold, `E real - E fake`."""
    if loss == "wgan":
        return real.mean() - fake.mean()
    middle = 0.5 if loss == "lsgan" else 0.0
    return ((real > middle).float().mean() + (fake <= middle).float().mean()) / 2


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mixing: Tensor) -> Tensor:
    """Mean over images of `(|gradient of the critic| - 1)^2` on the segments between real and fake.

    The critic of an image is the mean of its score map, which is what the Wasserstein loss averages, so the penalty
    does not depend on how many patches are scored.

    Args:
        score: the discriminator as a function from images to raw scores `[B, ...]`.
        real: images `[B, C, H, W]`.
        fake: images of the same shape.
        mixing: `[B]` in `[0, 1]`: the share of `real` in the point where each sample is penalised.

    Source: Gulrajani et al. 2017, equation 3, without its weight of 10.
    """
    share = mixing.to(real).view(-1, *[1] * (real.dim() - 1))
    between = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
    critic = score(between).reshape(len(between), -1).mean(dim=1)
    (gradient,) = torch.autograd.grad(critic.sum(), between, create_graph=True)
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norm - 1).square().mean()
