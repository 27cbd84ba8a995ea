"""Adversarial losses of a discriminator and of the networks that try to fool it.

A score is a discriminator's raw output, without sigmoid; high means real. Every loss is a mean over images and
positions, so it does not depend on how a batch is split over processes.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

AdversarialLoss = Literal["minimax", "bce", "lsgan", "hinge", "wgan"]


def as_real(score: Tensor, loss: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """The loss of scores whose samples are real: half of a discriminator's loss.

    `minimax` and `bce`: `-log sigmoid(s)`; `lsgan`: `(s - 1)^2`; `hinge`: `max(0, 1 - s)`; `wgan`: `-s`.

    Args:
        score: raw scores of any shape `[B, ...]`.
        loss: the family.
        weight: a factor for each score, broadcast to their shape; `None` for 1.

    Returns:
        Scalar, the mean over all scores; it is not divided by the weights.

    Example:
        >>> score = torch.tensor([3.0, 0.0])
        >>> [as_real(score, loss).item() for loss in ("lsgan", "hinge", "wgan")]
        [2.5, 0.5, -1.5]
    """
    if loss in ("minimax", "bce"):
        return _mean(functional.softplus(-score), weight)
    if loss == "lsgan":
        return _mean((score - 1).square(), weight)
    if loss == "hinge":
        return _mean(functional.relu(1 - score), weight)
    return -_mean(score, weight)


def as_fake(score: Tensor, loss: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """The loss of scores whose samples are fake: the other half of a discriminator's loss.

    `minimax` and `bce`: `-log(1 - sigmoid(s))`; `lsgan`: `s^2`; `hinge`: `max(0, 1 + s)`; `wgan`: `s`. Arguments and
    result as in `as_real`.

    Example:
        >>> score = torch.tensor([3.0, 0.0])
        >>> [as_fake(score, loss).item() for loss in ("lsgan", "hinge", "wgan")]
        [4.5, 2.5, 1.5]
    """
    if loss in ("minimax", "bce"):
        return _mean(functional.softplus(score), weight)
    if loss == "lsgan":
        return _mean(score.square(), weight)
    if loss == "hinge":
        return _mean(functional.relu(1 + score), weight)
    return _mean(score, weight)


def generator(score: Tensor, loss: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """The loss of a generator: its fakes should score as real.

    `minimax`: `log(1 - sigmoid(s))`, the discriminator's loss with the opposite sign, whose gradient vanishes where the
    discriminator recognises a fake; `hinge`: `-s`; all others: `as_real`, which for `bce` is the non-saturating loss.

    Args:
        score: raw scores of fakes, `[B, ...]`.
        loss: the family.
        weight: as in `as_real`.

    Example:
        >>> score = torch.tensor([2.0])  # log(1 + e^2) = 2.1269
        >>> [round(generator(score, loss).item(), 4) for loss in ("minimax", "bce", "lsgan", "hinge", "wgan")]
        [-2.1269, 0.1269, 1.0, -2.0, -2.0]

    Source: minimax and bce: Goodfellow et al. 2014, section 3; lsgan: Mao et al. 2017, without the factor 1/2, as in
    CycleGAN's code, to which its cycle weight of 10 is relative; hinge: Lim and Ye 2017, Miyato et al. 2018; wgan:
    Arjovsky et al. 2017.
    """
    if loss == "minimax":
        return -as_fake(score, loss, weight)
    return as_real(score, "wgan" if loss == "hinge" else loss, weight)


def real_as_fake(score: Tensor, loss: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """The loss of networks whose real samples should score as fake, the counterpart of `generator`.

    `minimax`: `log sigmoid(s)`; `hinge`: `s`; all others: `as_fake`. Arguments as in `as_real`.

    Example:
        >>> score = torch.tensor([2.0])  # log(1 + e^2) = 2.1269
        >>> [round(real_as_fake(score, loss).item(), 4) for loss in ("minimax", "bce", "lsgan", "hinge", "wgan")]
        [-0.1269, 2.1269, 4.0, 2.0, 2.0]
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
    """The loss of networks whose real samples should score as fake and whose fakes as real: inverted labels.

    `minimax`: minus the discriminator's loss; the other families average their two sides as `discriminator` does.

    Args:
        real: raw scores of real samples, `[B, ...]`.
        fake: raw scores of fakes, `[B, ...]`.
        loss: the family.
        real_weight: weights of `real`, as in `as_real`.
        fake_weight: weights of `fake`.

    Example:
        >>> real, fake = torch.tensor([2.0]), torch.tensor([0.0])
        >>> inverted(real, fake, "lsgan").item()  # (2^2 + (0 - 1)^2) / 2
        2.5
    """
    both = generator(fake, loss, fake_weight) + real_as_fake(real, loss, real_weight)
    return both if loss == "wgan" else both / 2


def discriminator(
    real: Tensor,
    fake: Tensor,
    loss: AdversarialLoss,
    real_weight: Tensor | None = None,
    fake_weight: Tensor | None = None,
) -> Tensor:
    """The loss of a discriminator: real samples should score as real, fakes as fake.

    All families average their two sides, as CycleGAN, pix2pix and DANN do, but `wgan`, which is `E fake - E real` and
    needs `gradient_penalty` or clipped parameters. Arguments as in `inverted`.

    Example:
        >>> real, fake = torch.tensor([2.0]), torch.tensor([1.0])  # log(1 + e^-2) = 0.1269, log(1 + e) = 1.3133
        >>> [round(discriminator(real, fake, loss).item(), 4) for loss in ("minimax", "bce", "lsgan", "hinge", "wgan")]
        [0.7201, 0.7201, 1.0, 1.0, -1.0]
    """
    both = as_real(real, loss, real_weight) + as_fake(fake, loss, fake_weight)
    return both if loss == "wgan" else both / 2


def confusion(first: Tensor, second: Tensor, loss: AdversarialLoss) -> Tensor:
    """The mean of the discriminator's loss with right and with inverted labels, minimal for an undecided discriminator.

    Args:
        first: raw scores of one domain, `[B, ...]`.
        second: raw scores of the other, `[B, ...]`.
        loss: any family but `wgan`, for which the sum is always 0.

    Example:
        >>> first, second = torch.tensor([2.0]), torch.tensor([1.0])
        >>> confusion(first, second, "lsgan").item()  # ((1 + 1) / 2 + (0 + 4) / 2) / 2
        1.5

    Source: Hoffman et al. 2016 (FCNs in the Wild), `(L_D + L_Dinv) / 2`.
    """
    return (discriminator(first, second, loss) + discriminator(second, first, loss)) / 2


def uniform_cross_entropy(first: Tensor, second: Tensor) -> Tensor:
    """Cross entropy of the discriminator's probabilities `(q, 1 - q)`, `q = sigmoid(s)`, with `(1/2, 1/2)`.

    The minimum, `log 2`, is at `s = 0`. Each domain has weight 1/2. `confusion` under `bce` is the same.

    Args:
        first: raw scores of one domain, `[B, ...]`.
        second: raw scores of the other, `[B, ...]`.

    Example:
        >>> first, second = torch.tensor([2.0]), torch.tensor([0.0])
        >>> round(uniform_cross_entropy(first, second).item(), 4)  # ((0.1269 + 2.1269) / 2 + log 2) / 2
        0.91

    Source: Tzeng et al. 2015, equation 3, `L_conf = -sum_d 1/D log q_d`.
    """
    first, second = ((functional.softplus(-score) + functional.softplus(score)).mean() / 2 for score in (first, second))
    return (first + second) / 2


def accuracy(real: Tensor, fake: Tensor, loss: AdversarialLoss) -> Tensor:
    """Share of correctly classified scores, in `[0, 1]`; each domain has weight 1/2.

    `wgan` has no threshold; for it this is the critic's distance, `E real - E fake`.

    Example:
        >>> real, fake = torch.tensor([2.0, -1.0]), torch.tensor([-3.0])
        >>> accuracy(real, fake, "bce").item(), accuracy(real, fake, "wgan").item()
        (0.75, 3.5)
    """
    if loss == "wgan":
        return real.mean() - fake.mean()
    middle = 0.5 if loss == "lsgan" else 0.0
    return ((real > middle).float().mean() + (fake <= middle).float().mean()) / 2


def advantage(real: Tensor, fake: Tensor, loss: AdversarialLoss) -> Tensor:
    """One minus the ratio of the discriminator's loss to that of an undecided discriminator.

    1 for a discriminator that is right and certain, 0 for an undecided one, below 0 for one that is certain and wrong.
    Not for `wgan`, which has no undecided score.

    Example:
        >>> real, fake = torch.tensor([1.0]), torch.tensor([0.5])
        >>> advantage(real, fake, "lsgan").item()  # loss (0 + 1/4) / 2, of an undecided discriminator 1/4
        0.5
    """
    middle = torch.full_like(real, 0.5 if loss == "lsgan" else 0.0)
    return 1 - discriminator(real, fake, loss) / discriminator(middle, middle, loss)


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mixing: Tensor) -> Tensor:
    """Mean over images of `(|gradient of the critic| - 1)^2` on the segments between real and fake.

    The critic of an image is the mean of its score map, as in the Wasserstein loss, so the penalty does not depend on
    the number of patches.

    Args:
        score: the discriminator as a function from images (or features) to raw scores `[B, ...]`.
        real: images `[B, C, H, W]`.
        fake: images of the same shape.
        mixing: `[B]` in `[0, 1]`, the share of `real` in the point where each sample is penalised.

    Example:
        >>> real, fake, mixing = torch.full((2, 1, 1, 1), 4.0), torch.zeros(2, 1, 1, 1), torch.tensor([0.25, 0.75])
        >>> gradient_penalty(lambda x: x**2 / 2, real, fake, mixing).item()  # slopes 1 and 3: (0 + 4) / 2
        2.0

    Source: Gulrajani et al. 2017, equation 3, without its weight of 10.
    """
    share = mixing.to(real).view(-1, *[1] * (real.dim() - 1))
    between = (share * real.detach() + (1 - share) * fake.detach()).requires_grad_()
    norm: Tensor = torch.linalg.vector_norm(_gradient(score, between).flatten(1), dim=1)
    return (norm - 1).square().mean()


def zero_centred_penalty(score: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
    """Half the mean over images of `|gradient of the discriminator|^2` at the samples.

    R1 on real samples, R2 on fakes. An image's discriminator output is the mean of its score map, as in
    `gradient_penalty`.

    Args:
        score: the discriminator as a function from images (or features) to raw scores `[B, ...]`.
        samples: `[B, C, H, W]`.

    Example:
        >>> samples = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
        >>> zero_centred_penalty(lambda x: x**2 / 2, samples).item()  # slopes 1 and 3: (1 + 9) / 2 / 2
        2.5

    Source: Mescheder et al. 2018, equations 9 and 10, without the factor gamma (10 there). `discriminator` averages its
    two sides where the paper adds them, so gamma here corresponds to 2 gamma there; the paper's released code, which
    leaves out the half, weighs gamma as we do.
    """
    return _gradient(score, samples.detach().clone().requires_grad_()).flatten(1).square().sum(dim=1).mean() / 2


def _mean(each: Tensor, weight: Tensor | None) -> Tensor:
    return each.mean() if weight is None else (weight * each).mean()


def _gradient(score: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
    critic = score(samples).reshape(len(samples), -1).mean(dim=1)
    (gradient,) = torch.autograd.grad(critic.sum(), samples, create_graph=True)
    return gradient
