"""Adversarial losses: what a discriminator learns, and what the networks that fool it learn.

A score is a discriminator's raw output, without sigmoid; high means real. Each value is the mean over images and
positions, so it does not depend on how a batch is split over processes.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

AdversarialLoss = Literal["minimax", "bce", "lsgan", "hinge", "wgan"]


def as_real(score: Tensor, loss: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """How far `score` is from the verdict "real": a discriminator's loss on real samples.

    `minimax` and `bce`: `-log sigmoid(s)`; `lsgan`: `(s - 1)^2`; `hinge`: `max(0, 1 - s)`; `wgan`: `-s`.

    Args:
        score: raw scores of any shape `[B, ...]`.
        loss: the family.
        weight: a factor for each score, of a shape that broadcasts to theirs; 1 without.

    Returns:
        Scalar, the mean over all scores; it is not divided by the weights.
    """
    if loss in ("minimax", "bce"):
        return _mean(functional.softplus(-score), weight)
    if loss == "lsgan":
        return _mean((score - 1).square(), weight)
    if loss == "hinge":
        return _mean(functional.relu(1 - score), weight)
    return -_mean(score, weight)


def as_fake(score: Tensor, loss: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """How far `score` is from the verdict "fake": a discriminator's loss on fakes.

    `minimax` and `bce`: `-log(1 - sigmoid(s))`; `lsgan`: `s^2`; `hinge`: `max(0, 1 + s)`; `wgan`: `s`. Arguments as in
    `as_real`.
    """
    if loss in ("minimax", "bce"):
        return _mean(functional.softplus(score), weight)
    if loss == "lsgan":
        return _mean(score.square(), weight)
    if loss == "hinge":
        return _mean(functional.relu(1 + score), weight)
    return _mean(score, weight)


def generator(score: Tensor, loss: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """What the fooling networks minimise on their fakes.

    `minimax`: `log(1 - sigmoid(s))`, the discriminator's loss with the opposite sign, whose gradient vanishes where a
    fake is recognised; `hinge`: `-s`; all others: `as_real`, "my fakes look real", for `bce` the non-saturating loss.

    Args:
        score: raw scores of fakes, `[B, ...]`.
        loss: the family.
        weight: as in `as_real`.

    Source: minimax and bce: Goodfellow et al. 2014, section 3; lsgan: Mao et al. 2017, without the factor 1/2, as in
    CycleGAN's code, to which its cycle weight of 10 is relative; hinge: Lim and Ye 2017, Miyato et al. 2018; wgan:
    Arjovsky et al. 2017.
    """
    if loss == "minimax":
        return -as_fake(score, loss, weight)
    return as_real(score, "wgan" if loss == "hinge" else loss, weight)


def disguise(score: Tensor, loss: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """What networks minimise that make real samples look fake: the mirror image of `generator`.

    `minimax`: `log sigmoid(s)`; `hinge`: `s`; all others: `as_fake`. Arguments as in `as_real`.
    """
    if loss == "minimax":
        return -as_real(score, loss, weight)
    return as_fake(score, "wgan" if loss == "hinge" else loss, weight)


def inverted(
    real: Tensor,
    fake: Tensor,
    loss: AdversarialLoss,
    real_weight: Tensor | None = None,
    fake_weight: Tensor | None = None,
) -> Tensor:
    """What networks minimise whose samples of both kinds are to be mistaken for the other kind.

    `minimax`: minus the discriminator's loss; the others average their two sides as `discriminator` does.

    Args:
        real: raw scores of real samples, `[B, ...]`.
        fake: raw scores of fakes, `[B, ...]`.
        loss: the family.
        real_weight: of `real`, as in `as_real`.
        fake_weight: of `fake`.
    """
    both = generator(fake, loss, fake_weight) + disguise(real, loss, real_weight)
    return both if loss == "wgan" else both / 2


def discriminator(
    real: Tensor,
    fake: Tensor,
    loss: AdversarialLoss,
    real_weight: Tensor | None = None,
    fake_weight: Tensor | None = None,
) -> Tensor:
    """What a discriminator minimises: tell real from fake.

    All families average their two sides (CycleGAN, pix2pix and DANN do) but `wgan`, which is `E fake - E real`; that
    one needs `gradient_penalty` or clipped parameters. Arguments as in `inverted`.
    """
    both = as_real(real, loss, real_weight) + as_fake(fake, loss, fake_weight)
    return both if loss == "wgan" else both / 2


def confusion(first: Tensor, second: Tensor, loss: AdversarialLoss) -> Tensor:
    """Half the discriminator's loss with the right domains plus half with inverted ones: least when it cannot tell.

    Args:
        first: raw scores of one domain, `[B, ...]`.
        second: raw scores of the other, `[B, ...]`.
        loss: not `wgan`, for which the sum vanishes.

    Source: Hoffman et al. 2016 (FCNs in the Wild), `(L_D + L_Dinv) / 2`.
    """
    return (discriminator(first, second, loss) + discriminator(second, first, loss)) / 2


def uniform_verdict(first: Tensor, second: Tensor) -> Tensor:
    """Cross entropy of the verdict `(q, 1 - q)`, `q = sigmoid(s)`, with `(1/2, 1/2)`: least, `log 2`, at `s = 0`.

    Each domain counts one half. It is what `confusion` gives for `bce`.

    Args:
        first: raw scores of one domain, `[B, ...]`.
        second: raw scores of the other, `[B, ...]`.

    Source: Tzeng et al. 2015, equation 3, `L_conf = -sum_d 1/D log q_d`.
    """
    first, second = ((functional.softplus(-score) + functional.softplus(score)).mean() / 2 for score in (first, second))
    return (first + second) / 2


def accuracy(real: Tensor, fake: Tensor, loss: AdversarialLoss) -> Tensor:
    """Share of scores on the right side, in `[0, 1]`; for `wgan`, which has no threshold, `E real - E fake`."""
    if loss == "wgan":
        return real.mean() - fake.mean()
    middle = 0.5 if loss == "lsgan" else 0.0
    return ((real > middle).float().mean() + (fake <= middle).float().mean()) / 2


def advantage(real: Tensor, fake: Tensor, loss: AdversarialLoss) -> Tensor:
    """How much less a discriminator loses than one that cannot tell, as a share of what that one loses.

    1 for one that is right and sure of it, 0 at the verdict "either", below 0 for one that is sure and wrong. `wgan`
    has no such verdict.
    """
    middle = torch.full_like(real, 0.5 if loss == "lsgan" else 0.0)
    return 1 - discriminator(real, fake, loss) / discriminator(middle, middle, loss)


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mixing: Tensor) -> Tensor:
    """Mean over images of `(|gradient of the critic| - 1)^2` on the segments between real and fake.

    The critic of an image is the mean of its score map, which is what the Wasserstein loss averages, so the penalty
    does not depend on how many patches are scored.

    Args:
        score: the discriminator as a function from images (or features) to raw scores `[B, ...]`.
        real: images `[B, C, H, W]`.
        fake: images of the same shape.
        mixing: `[B]` in `[0, 1]`: the share of `real` in the point where each sample is penalised.

    Source: Gulrajani et al. 2017, equation 3, without its weight of 10.
    """
    share = mixing.to(real).view(-1, *[1] * (real.dim() - 1))
    between = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
    norm: Tensor = torch.linalg.vector_norm(_gradient(score, between).flatten(1), dim=1)
    return (norm - 1).square().mean()


def zero_centred_penalty(score: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
    """Half the mean over images of `|gradient of the discriminator|^2` at the samples: R1 on real ones, R2 on fakes.

    The discriminator of an image is the mean of its score map, as in `gradient_penalty`.

    Args:
        score: the discriminator as a function from images (or features) to raw scores `[B, ...]`.
        samples: `[B, C, H, W]`.

    Source: Mescheder et al. 2018, equations 9 and 10, without the factor gamma (10 there). Beside `discriminator`,
    which averages its two sides, gamma weighs as 2 gamma does beside the paper's sum of them; so it does in the
    paper's released code, which forgets the half.
    """
    return _gradient(score, samples.detach().clone().requires_grad_()).flatten(1).square().sum(dim=1).mean() / 2


def _mean(each: Tensor, weight: Tensor | None) -> Tensor:
    return each.mean() if weight is None else (weight * each).mean()


def _gradient(score: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
    critic = score(samples).reshape(len(samples), -1).mean(dim=1)
    (gradient,) = torch.autograd.grad(critic.sum(), samples, create_graph=True)
    return gradient
