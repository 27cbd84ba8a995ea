"""Cross entropy against labels, for whole images and for pixels."""

from torch import Tensor
from torch.nn import functional

IGNORE_INDEX = 255


def cross_entropy(
    logits: Tensor, label: Tensor, class_weights: Tensor | None = None, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Mean over images of each image's mean cross entropy over its valid pixels.

    Averaging within images first makes the loss independent of how a batch is split over processes. The loss of an
    image without valid pixels is 0.

    Args:
        logits: `[B, K, H, W]`, or `[B, K]` for classification.
        label: int64 `[B, H, W]` or `[B]`, `ignore_index` where ignored.
        class_weights: `[K]`; an image's mean is then the weighted one, divided by the weights of its valid pixels.
        ignore_index: the label value that is ignored.

    Example:
        >>> import torch
        >>> logits, label = torch.zeros(2, 4, 1, 2), torch.tensor([[[0, 255]], [[255, 255]]])
        >>> round(cross_entropy(logits, label).item(), 4)  # (log 4 + 0) / 2
        0.6931

    Source: own; per image as `torch.nn.functional.cross_entropy`.
    """
    weights = None if class_weights is None else class_weights.to(logits)
    loss = functional.cross_entropy(logits, label, weights, ignore_index=ignore_index, reduction="none")
    valid = label != ignore_index
    share = valid.to(logits) if weights is None else weights[label.where(valid, 0)] * valid
    total = share.reshape(len(label), -1).sum(dim=1)
    return (loss.reshape(len(label), -1).sum(dim=1) / total.where(total > 0, 1)).mean()


def weighted_cross_entropy(logits: Tensor, label: Tensor, weight: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Mean over all pixels of weight times cross entropy, which is 0 for ignored pixels.

    Unlike `cross_entropy` this is not divided by the weights: an image with low weights contributes little.

    Args:
        logits: `[B, K, H, W]`.
        label: int64 `[B, H, W]`, `ignore_index` where ignored.
        weight: `[B, H, W]`, at least 0.
        ignore_index: the label value that is ignored.

    Example:
        >>> import torch
        >>> logits, label, weight = torch.zeros(1, 4, 1, 2), torch.tensor([[[0, 255]]]), torch.tensor([[[0.5, 1.0]]])
        >>> round(weighted_cross_entropy(logits, label, weight).item(), 4)  # (0.5 log 4 + 0) / 2
        0.3466

    Source: Tranheden et al. 2021 (DACS), released code.
    """
    loss = functional.cross_entropy(logits, label, ignore_index=ignore_index, reduction="none")
    return (loss * weight.to(logits)).mean()
