"""How far a reconstructed image is from its original, plain or weighted per pixel by class."""

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
        weight: `[B, H, W]`, a factor for each pixel.
    """
    difference = image - original
    difference = difference.abs() if loss == "l1" else difference.square()
    return difference.mean() if weight is None else (difference * weight.to(difference)[:, None]).mean()


def class_balance(label: Tensor, size: tuple[int, int], ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Pixel weights that let every class of an image count alike: one over the class's frequency, scaled to mean 1.

    Frequencies are those of the image itself, so the weights do not depend on the rest of the batch. With `n` classes
    present and share `f` of the image's valid pixels, a pixel weighs `1 / (n f)`. Ignored pixels weigh 1.

    Args:
        label: int64 `[B, H, W]` of class indices below 256.
        size: (height, width) of the weights; a label of another size is resized to the nearest.
        ignore_index: the label value without a class.

    Returns:
        float64 `[B, height, width]`, positive, mean 1 over each image.

    Source: our reconstruction of Zama Ramirez et al. 2018; their weight formula is not known to us.
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
