"""Entropy of predictions."""

import math

from torch import Tensor


def self_information(logits: Tensor) -> Tensor:
    """Each class's share of the entropy, `-p log p / log K`; summed over classes it lies in `[0, 1]`.

    Args:
        logits: `[B, K, ...]` with at least two classes.

    Returns:
        The same shape.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log()
        >>> [[round(share, 4) for share in shares] for shares in self_information(logits).tolist()]
        [[0.5, 0.5], [0.5, 0.3113]]

    Source: Vu et al. 2019 (ADVENT), the weighted self-information map.
    """
    logarithm = logits.log_softmax(dim=1)
    return -logarithm.exp() * logarithm / math.log(logits.shape[1])


def entropy(logits: Tensor) -> Tensor:
    """Mean over images and pixels of the prediction's entropy divided by `log K`: 0 certain, 1 uniform.

    Args:
        logits: `[B, K, ...]` with at least two classes.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log()
        >>> round(entropy(logits).item(), 4)  # (1 + 0.8113) / 2
        0.9056

    Source: Vu et al. 2019 (ADVENT), MinEnt.
    """
    return self_information(logits).sum(dim=1).mean()
