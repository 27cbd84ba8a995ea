"""Deviation of the predicted sizes of an image's classes from bounds on their sizes."""

import math

import torch
from torch import Tensor


def log_shares(logits: Tensor) -> Tensor:
    """The logarithm of each class's soft size, `log mean_p softmax(logits)_p`.

    Computed in logarithms, so that a class without any probability still has a gradient.

    Args:
        logits: `[B, K, h, w]`.

    Returns:
        `[B, K]`, at most 0.

    Example:
        >>> logits = torch.tensor([[0.9, 0.4], [0.1, 0.6]]).log().view(1, 2, 1, 2)  # two pixels, two classes
        >>> [round(share, 4) for share in log_shares(logits)[0].exp().tolist()]
        [0.65, 0.35]
    """
    each = logits.log_softmax(dim=1).flatten(2)
    return each.logsumexp(dim=2) - math.log(each.shape[2])


def predicted_shares(logits: Tensor) -> Tensor:
    """Each class's share of an image's predictions by argmax.

    Args:
        logits: `[B, K, h, w]`.

    Returns:
        `[B, K]`, summing to 1 over classes.

    Example:
        >>> logits = torch.tensor([[0.9, 0.4], [0.1, 0.6]]).log().view(1, 2, 1, 2)  # two pixels, two classes
        >>> predicted_shares(logits).tolist()
        [[0.5, 0.5]]
    """
    chosen = torch.zeros_like(logits).scatter_(1, logits.argmax(dim=1, keepdim=True), 1.0)
    return chosen.flatten(2).mean(dim=2)


def outside_bounds(log_share: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Shortfall below a lower bound and excess above an upper bound, as logarithms of the ratio.

    Half of the lower bound is a shortfall of `log 2`, whatever the bound, so small classes count as much as large ones.
    Within the bounds both are 0.

    Args:
        log_share: `[B, K]`, logarithms of sizes.
        lower: `[K]`, above 0; NaN for no bound.
        upper: `[K]`, the same.

    Returns:
        Shortfall and excess, `[B, K]` each, at least 0.

    Example:
        >>> sizes = torch.tensor([[0.05, 0.2, 0.8]]).log()
        >>> short, excess = outside_bounds(sizes, torch.full((3,), 0.1), torch.full((3,), 0.4))
        >>> [[round(value, 4) for value in values[0].tolist()] for values in (short, excess)]  # log 2 = 0.6931
        [[0.6931, 0.0, 0.0], [0.0, 0.0, 0.6931]]
    """
    # NaN becomes an infinite bound; if it were masked instead, its gradient would still be NaN.
    least = lower.log().nan_to_num(nan=-math.inf, neginf=-math.inf)
    most = upper.log().nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)
    return (least - log_share).clamp_min(0), (log_share - most).clamp_min(0)
