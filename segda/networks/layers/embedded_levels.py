"""All maps of a pyramid as one, at the size of the finest."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.errors import ConfigError


class EmbeddedLevels(nn.Module):
    """Each map of stride 4 or more by a 1x1 convolution, resized bilinearly to the finest of them, all side by side.

    Source: Xie et al., SegFormer (arXiv:2105.15203), section 3.2: the linear layers of its decoder.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, name: str) -> None:
        """Build a convolution to `width` maps for each level; `name` is what messages call the network.

        Raises:
            ConfigError: the encoder has no such map.
        """
        super().__init__()
        self.levels = [level for level, stride in enumerate(strides) if stride >= 4 and channels[level]]
        if not self.levels:
            raise ConfigError(
                f"{name}: needs maps of stride 4 or more, got strides {list(strides)}; use another encoder or head"
            )
        self.embeddings = nn.ModuleList(nn.Conv2d(channels[level], width, 1) for level in self.levels)
        self.channels = width * len(self.levels)

    def forward(self, features: list[Tensor]) -> Tensor:
        """`[B, channels, h, w]` of the pyramid, coarsest level first."""
        size = features[self.levels[0]].shape[-2:]
        maps = [
            functional.interpolate(embed(features[level]), size=size, mode="bilinear", align_corners=False)
            for level, embed in zip(self.levels, self.embeddings, strict=True)
        ]
        return torch.cat(maps[::-1], dim=1)
