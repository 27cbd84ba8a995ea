"""Distance of a reconstructed image from its original, plain or weighted by the classes of its pixels."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from segda.losses.supervised import IGNORE_INDEX

ReconstructionLoss = Literal["l1", "l2"]


def reconstruction(
    image: Tensor, original: Tensor, loss: ReconstructionLoss = "l1", weight: Tensor | None = None
) -> Tensor:
    """Mean over images, channels and pixels of the absolute (`l1`) or squared (`l2`) difference.

    Args:
        image: `[B, C, H, W]` in `[-1, 1]`.
        original: the same shape.
        loss: the difference.
        weight: `[B, H, W]`, a factor for each pixel; `None` for 1.

    Example:
        >>> image, original = torch.zeros(1, 3, 1, 2), torch.tensor([1.0, 3.0]).expand(1, 3, 1, 2)
        >>> reconstruction(image, original).item(), reconstruction(image, original, "l2").item()
        (2.0, 5.0)
        >>> reconstruction(image, original, weight=torch.tensor([[[0.0, 1.0]]])).item()  # (0 * 1 + 1 * 3) / 2
        1.5
    """
    difference = image - original
    difference = difference.abs() if loss == "l1" else difference.square()
    return difference.mean() if weight is None else (difference * weight.to(difference)[:, None]).mean()


def class_balance(label: Tensor, size: tuple[int, int], ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Pixel weights that give every class of an image the same total: one over its frequency, scaled to mean 1.

    Frequencies are those of the image, so the weights do not depend on the rest of the batch. In an image of `n`
    classes, a pixel whose class has share `f` of the valid pixels has weight `1 / (n f)`. Ignored pixels have weight 1.

    Args:
        label: int64 `[B, H, W]` of class indices below 256.
        size: (height, width) of the weights; a label of another size is resized to the nearest.
        ignore_index: the label value without a class.

    Returns:
        float64 `[B, height, width]`, positive, mean 1 over each image.

    Example:
        >>> label = torch.tensor([[[0, 0, 1, 255]]])
        >>> class_balance(label, (1, 4)).tolist()  # 1 / (2 * 2/3), 1 / (2 * 1/3)
        [[[0.75, 0.75, 1.5, 1.0]]]

    Source: our reconstruction of Zama Ramirez et al. 2018; we do not have their weight formula.
    """
    if tuple(label.shape[-2:]) != size:
        label = functional.interpolate(label[:, None].double(), size=size, mode="nearest")[:, 0].long()
    flat = label.flatten(1)
    valid = flat != ignore_index
    count = torch.zeros(len(flat), 256, device=flat.device, dtype=torch.double).scatter_add_(1, flat, valid.double())
    present = (count > 0).sum(dim=1, keepdim=True)
    total = valid.sum(dim=1, keepdim=True)
    balance = total / (present * count.gather(1, flat))
    return balance.where(valid, 1.0).view(label.shape)
