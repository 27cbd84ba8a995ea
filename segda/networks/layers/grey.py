"""From colour to grey images and back."""

import torch
from torch import Tensor

from segda.errors import ConfigError


def to_grey(image: Tensor) -> Tensor:
    """The average of each image's three channels: `[B, 3 n, H, W]` to `[B, n, H, W]`.

    Raises:
        ConfigError: the number of channels does not divide by three.
    """
    channels = int(image.shape[1])
    if channels % 3:
        raise ConfigError(f"grey: got {channels} channels, needs 3 for each image; set grey: false")
    return image.unflatten(1, (channels // 3, 3)).mean(dim=2)


def from_grey(image: Tensor) -> Tensor:
    """One channel three times: `[B, 1, H, W]` to `[B, 3, H, W]`, each a copy of its own."""
    return torch.cat([image, image, image], dim=1)
