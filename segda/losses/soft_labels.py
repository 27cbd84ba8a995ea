"""Cross entropy against probabilities."""

from torch import Tensor


def soft_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Mean over images and positions of `-sum_k a_k log softmax(logits)_k`.

    Args:
        logits: `[B, K, ...]`, unbounded.
        label: the shares `a` of the classes, of the same shape; they need not add up to 1.

    Example:
        >>> import torch
        >>> logits, label = torch.zeros(1, 4, 1), torch.tensor([[[0.5], [0.25], [0.0], [0.0]]])
        >>> round(soft_cross_entropy(logits, label).item(), 4)  # 0.75 log 4
        1.0397

    Source: Wang et al. 2020 (FADA), released code.
    """
    return -(label * logits.log_softmax(dim=1)).sum(dim=1).mean()
