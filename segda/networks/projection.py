"""From features at some places of an encoder's maps to unit vectors that are compared with one another.

Source: Park et al., Contrastive Learning for Unpaired Image-to-Image Translation (arXiv:2007.15651), section 3.2: a
network of two layers with 256 units for each map. Its code begins with biases of 0; ours are drawn, so that features
that are all 0 have a direction, too.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


class Projection(nn.Module):
    """A network of two layers for each of the encoder's maps, of `channels` features; vectors have `width` numbers."""

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Linear(inside, width), nn.ReLU(), nn.Linear(width, width)) for inside in channels
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Features `[B, N, C]` of every map, fine to coarse, as vectors `[B, N, width]` of length 1."""
        return [functional.normalize(layer(x), dim=-1) for layer, x in zip(self.levels, features, strict=True)]
