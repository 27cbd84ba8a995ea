"""How far the predicted sizes of an image's classes lie outside the sizes that these classes usually have."""

import math

import torch
from torch import Tensor


def log_shares(logits: Tensor) -> Tensor:
    """The logarithm of each class's soft size, `log mean_p softmax(logits)_p`: `[B, K, h, w]` to `[B, K]`, at most 0.

    Taken in logarithms, so that a class that no pixel gives any probability still has a gradient.
    """
    each = logits.log_softmax(dim=1).flatten(2)
    return each.logsumexp(dim=2) - math.log(each.shape[2])


def predicted_shares(logits: Tensor) -> Tensor:
    """Each class's share of an image's predictions by argmax: `[B, K, h, w]` to `[B, K]`, summing to 1 over classes."""
    chosen = torch.zeros_like(logits).scatter_(1, logits.argmax(dim=1, keepdim=True), 1.0)
    return chosen.flatten(2).mean(dim=2)


def outside_bounds(log_share: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """How far sizes fall short of a lower bound and how far they exceed an upper one, as logarithms of the ratio.

    A size of half the lower bound falls short by `log 2`, whatever the bound, so small classes are heard like large
    ones; inside the bounds both are 0.

    Args:
        log_share: `[B, K]`, logarithms of sizes.
        lower: `[K]`, above 0; NaN is no bound.
        upper: `[K]`, the same.

    Returns:
        Shortfall and excess, `[B, K]` each, at least 0.
    """
    # NaN becomes a bound that every size keeps; the gradient of a masked NaN would still be NaN.
    least = lower.log().nan_to_num(nan=-math.inf, neginf=-math.inf)
    most = upper.log().nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)
    return (least - log_share).clamp_min(0), (log_share - most).clamp_min(0)
