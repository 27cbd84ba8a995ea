"""The expanding half of pix2pix's U-Net: each layer sees the encoder's map of its size, too; nothing shared by domains.

Source: Isola et al., pix2pix (arXiv:1611.07004), section 6.1.1. The paper leaves dropout on when it translates, as its
only noise; here it is off outside training, so that translating twice gives the same image.
"""

import torch
from torch import Tensor, nn

from segda.errors import ConfigError
from segda.networks.layers.grey import from_grey
from segda.networks.layers.initialisation import initialise_normal
from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_probability
from segda.networks.layers.resolution import last_levels

# As in the paper: only the first layers have dropout.
_DROPPING = 3


class UnetDecoder(nn.Module):
    """One tail for each domain, from all maps of the encoder to an image."""

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        domains: tuple[str, ...],
        norm: Norm = "batch",
        dropout: float = 0.5,
        grey: bool = False,
    ) -> None:
        """Build the expanding half of a U-Net, for the encoder `unet` or any whose strides double.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps; the last map of each stride is used.
            domains: the domains to make images of.
            norm: normalisation after each layer but the last.
            dropout: probability that a feature of the first three layers is dropped in training.
            grey: make one channel and repeat it.

        Raises:
            ConfigError: the encoder's strides do not double from 2 on, or the dropout is out of range.
        """
        super().__init__()
        demand_probability("decoder unet", "dropout", dropout)
        last = last_levels(channels, strides)
        used = sorted(last)
        if used != [2 ** (index + 1) for index in range(len(used))] or not used:
            raise ConfigError(
                f"decoder unet: needs strides that double from 2 on, got {strides}; use the encoder `unet`, or another "
                "decoder"
            )
        self.levels = levels = [last[stride] for stride in reversed(used)]
        self.grey = grey
        self.tails = nn.ModuleDict()
        for domain in domains:
            stages: list[nn.Module] = []
            inside = channels[levels[0]]
            for index, level in enumerate(levels[1:]):
                outside = channels[level]
                stages.append(
                    nn.Sequential(
                        nn.ReLU(),
                        nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1, bias=has_bias(norm)),
                        normalisation(norm, outside),
                        nn.Dropout(dropout if index < _DROPPING else 0.0),
                    )
                )
                inside = 2 * outside  # the encoder's map of this size is appended
            to_image = nn.ConvTranspose2d(inside, 1 if grey else 3, 4, stride=2, padding=1)
            self.tails[domain] = nn.ModuleList([*stages, nn.Sequential(nn.ReLU(), to_image, nn.Tanh())])
        if norm != "none":
            initialise_normal(self)

    def forward(self, features: list[Tensor], domain: str) -> Tensor:
        """Decode all maps of the encoder as an image `[B, 3, H, W]` of `domain` in `[-1, 1]`."""
        *stages, last = self.tails[domain].children()
        x = features[self.levels[0]]
        for stage, level in zip(stages, self.levels[1:], strict=True):
            skip = features[level]
            x = torch.cat([stage(x)[..., : skip.shape[-2], : skip.shape[-1]], skip], dim=1)
        image: Tensor = last(x)[..., : features[0].shape[-2], : features[0].shape[-1]]
        return from_grey(image) if self.grey else image


build = UnetDecoder
