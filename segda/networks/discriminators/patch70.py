"""CycleGAN's discriminator: C64-C128-C256-C512, a score for every 70x70 patch.

Source: Zhu et al., CycleGAN (arXiv:1703.10593), appendix 7.2; Isola et al., pix2pix (arXiv:1611.07004), 6.1.2.
"""

from torch import nn

from segda.networks.layers.initialisation import initialise_normal
from segda.networks.layers.normalisation import Norm
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.patches import LEAST_SIZE_70, PatchScores, patch_layer


class Patch70Discriminator(PatchScores):
    """One score for each 70x70 patch of the input: `[B, 1, H / 8 - 2, W / 8 - 2]`."""

    def __init__(
        self, channels: int, classes: int, width: int = 64, norm: Norm = "instance", slope: float = 0.2
    ) -> None:
        """Build CycleGAN's 70x70 PatchGAN.

        Args:
            channels: of its input.
            classes: number of classes; not used.
            width: feature maps of the first layer; 2, 4 and 8 times as many in the next.
            norm: normalisation after each layer but the first and last; `batch` does not go with a gradient penalty.
            slope: of the leaky ReLU.

        Raises:
            ConfigError: an option is out of range.
        """
        demand_at_least("discriminator patch70", 1, width=width)
        layers = [
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(slope),
            *patch_layer(width, 2 * width, norm, slope),
            *patch_layer(2 * width, 4 * width, norm, slope),
            *patch_layer(4 * width, 8 * width, norm, slope, stride=1),
            nn.Conv2d(8 * width, 1, 4, padding=1),
        ]
        super().__init__("discriminator patch70", layers, LEAST_SIZE_70)
        if norm != "none":
            initialise_normal(self)


build = Patch70Discriminator
