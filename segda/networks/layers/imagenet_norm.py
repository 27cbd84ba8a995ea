"""From segda's image range to what networks pretrained on ImageNet expect."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class ImagenetNorm(nn.Module):
    """Images in `[-1, 1]` to zero mean and unit deviation over ImageNet's pixels.

    It is part of the encoder, so that real and translated images are normalised alike. `mean` and `std` are those of
    each channel for images in `[0, 1]`.
    """

    def __init__(self, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> None:
        super().__init__()
        # Constants, not learned: kept out of the state dict, so that weight files hold weights only.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Normalise `[B, 3, H, W]` in `[-1, 1]`."""
        return ((image + 1) / 2 - self.mean) / self.std
