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

# As in the paper: the first layers alone drop features.
_DROPPING = 3


class UnetDecoder(nn.Module):
    """One tail for each domain, from all maps of the encoder to an image."""

    def __init__(
        self,
        channels: tuple[int, ...],
        levels: list[int],
        domains: tuple[str, ...],
        norm: Norm,
        dropout: float,
        grey: bool,
    ) -> None:
        """Build the layers; see `build`.

        Args:
            channels: of the encoder's maps.
            levels: which of them are used, coarse to fine.
            domains: as in `build`.
            norm: as in `build`.
            dropout: as in `build`.
            grey: as in `build`.
        """
        super().__init__()
        self.levels = levels
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
            last = nn.ConvTranspose2d(inside, 1 if grey else 3, 4, stride=2, padding=1)
            self.tails[domain] = nn.ModuleList([*stages, nn.Sequential(nn.ReLU(), last, nn.Tanh())])
        if norm != "none":
            initialise_normal(self)

    def forward(self, features: list[Tensor], domain: str) -> Tensor:
        """Decode a pyramid as an image of `domain`.

        Args:
            features: the encoder's pyramid, all of which is used.
            domain: one of the built domains.

        Returns:
            `[B, 3, H, W]` in `[-1, 1]`.
        """
        *stages, last = self.tails[domain].children()
        x = features[self.levels[0]]
        for stage, level in zip(stages, self.levels[1:], strict=True):
            beside = features[level]
            x = torch.cat([stage(x)[..., : beside.shape[-2], : beside.shape[-1]], beside], dim=1)
        image: Tensor = last(x)[..., : features[0].shape[-2], : features[0].shape[-1]]
        return from_grey(image) if self.grey else image


def build(
    channels: tuple[int, ...],
    strides: tuple[int, ...],
    domains: tuple[str, ...],
    norm: Norm = "batch",
    dropout: float = 0.5,
    grey: bool = False,
) -> UnetDecoder:
    """The expanding half of a U-Net, for the encoder `unet` or any whose strides double.

    Args:
        channels: of the encoder's maps.
        strides: of the encoder's maps; the last map of each stride is used.
        domains: the domains to make images of.
        norm: normalisation after each layer but the last.
        dropout: probability that a feature of the first three layers is left out in training.
        grey: make one channel and repeat it.

    Raises:
        ConfigError: the encoder's strides do not double from 2 on, or the dropout is out of range.
    """
    demand_probability("decoder unet", "dropout", dropout)
    # The last map of each stride, coarse to fine; smp's encoders give 0 channels where they lack a stage.
    last = {stride: level for level, stride in enumerate(strides) if stride >= 2 and channels[level]}
    used = sorted(last)
    if used != [2 ** (index + 1) for index in range(len(used))] or not used:
        raise ConfigError(
            f"decoder unet: needs strides that double from 2 on, got {strides}; use the encoder `unet`, or another "
            "decoder"
        )
    return UnetDecoder(channels, [last[stride] for stride in reversed(used)], domains, norm, dropout, grey)
