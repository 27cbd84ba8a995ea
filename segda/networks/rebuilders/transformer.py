"""A transformer that rebuilds masked positions of an encoder's coarsest maps from the positions around them.

Source: Zhou et al., Masked Representation Modeling (arXiv:2509.13801) and its code: z is embedded in 512 numbers at
each position, a learned vector takes the place of those that are masked, two blocks of 16 heads follow, and a
projection with layer normalisation gives each map back where it was masked. Positions are encoded by sines and
cosines. Our choice: maps grow by bilinear interpolation, where the code has transposed convolutions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.errors import ConfigError
from segda.networks.layers.initialisation import initialise_glorot
from segda.networks.layers.option_checks import demand_at_least


class TransformerRebuilder(nn.Module):
    """Transformer blocks on the embedded positions of z, and a projection for each map that is rebuilt."""

    def __init__(
        self, channels: tuple[int, ...], width: int = 512, blocks: int = 2, heads: int = 16, levels: int = 1
    ) -> None:
        """Build a rebuilder of masked features.

        Args:
            channels: of the encoder's pyramid, fine to coarse, the image's first.
            width: numbers that embed a position; a multiple of 4 and of `heads`.
            blocks: transformer blocks, whose hidden layers are four times as wide.
            heads: attention heads of a block.
            levels: how many of the coarsest maps are rebuilt: 1 for a head that sees z alone, else as many as it sees.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        demand_at_least("rebuilder transformer", 1, width=width, blocks=blocks, heads=heads, levels=levels)
        if width % 4 or width % heads:
            raise ConfigError(
                f"rebuilder transformer: width is {width}, expected a multiple of 4 and of heads ({heads})"
            )
        if levels >= len(channels):
            raise ConfigError(
                f"rebuilder transformer: levels is {levels}, but the encoder has {len(channels) - 1} maps; give no more"
            )
        self.embedding = nn.Linear(channels[-1], width)
        self.blocks = nn.Sequential(*(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(blocks)
        ))  # fmt: skip
        self.norm = nn.LayerNorm(width)
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Linear(width, count), nn.LayerNorm(count)) for count in channels[-levels:]
        )
        initialise_glorot(self)
        self.mask_token = nn.Parameter(0.02 * torch.randn(width))

    def forward(self, features: list[Tensor], masked: Tensor) -> list[Tensor]:
        """The pyramid with its coarsest maps rebuilt where they are masked; elsewhere and otherwise it is the same.

        Args:
            features: fine to coarse, z `[B, C, h, w]` last.
            masked: bool `[B, m, n]`: the positions, on any grid, whose features are hidden and rebuilt.

        Returns:
            Features of the same shapes.
        """
        size = (int(masked.shape[-2]), int(masked.shape[-1]))
        z = functional.interpolate(features[-1], size=size, mode="bilinear", align_corners=False)
        tokens = self.embedding(z.flatten(2).movedim(1, -1))
        tokens = torch.where(masked.flatten(1)[..., None], self.mask_token.to(tokens.dtype), tokens)
        tokens = self.norm(self.blocks(tokens + positions(size, self.mask_token)))
        coarsest = len(features) - len(self.projections)
        rebuilt = [
            _filled_in(feature, projection(tokens), masked)
            for feature, projection in zip(features[coarsest:], self.projections, strict=True)
        ]
        return [*features[:coarsest], *rebuilt]


def positions(size: tuple[int, int], like: Tensor) -> Tensor:
    """A vector for each position of a map: `[h * w, D]`, sines and cosines of the row, then of the column.

    Source: Vaswani et al. 2017, section 3.5, for each of the two coordinates; He et al. 2022 (MAE), released code.
    """
    count = like.shape[-1] // 4
    rates = 10000 ** (-torch.arange(count, device=like.device, dtype=like.dtype) / count)
    height, width = size
    rows, columns = (torch.arange(side, device=like.device, dtype=like.dtype)[:, None] * rates for side in size)
    row, column = (torch.cat([angles.sin(), angles.cos()], dim=1) for angles in (rows, columns))
    both = torch.cat([row[:, None].expand(-1, width, -1), column[None].expand(height, -1, -1)], dim=-1)
    return both.flatten(0, 1)


def _filled_in(feature: Tensor, tokens: Tensor, masked: Tensor) -> Tensor:
    """`[B, C, h, w]`, where masked from tokens `[B, m * n, C]` on the masks' grid `[B, m, n]`."""
    size = (int(feature.shape[-2]), int(feature.shape[-1]))
    new = tokens.movedim(-1, 1).unflatten(-1, masked.shape[-2:])
    new = functional.interpolate(new, size=size, mode="bilinear", align_corners=False)
    hidden = functional.interpolate(masked[:, None].to(feature.dtype), size=size, mode="nearest") > 0
    return torch.where(hidden, new.to(feature.dtype), feature)


build = TransformerRebuilder
