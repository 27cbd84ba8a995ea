"""The domain adaptation tutorial's discriminator for digits: a score for every 34x34 patch, at a quarter of the size.

Source: the KAIST tutorial's Keras code: 4x4 convolutions of 64, 128, 256 and 1 features, the first two of stride 2,
batch normalisation between them, leaky ReLU 0.2, zero padding that keeps sizes; weights start as Keras starts them.
"""

from torch import nn

from segda.networks.layers.initialisation import initialise_glorot
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.patches import PatchScores, patch_layer


class Patch34Discriminator(PatchScores):
    """One score for each 34x34 patch of the input: `[B, 1, H / 4, W / 4]`."""

    def __init__(
        self, channels: int, classes: int, width: int = 64, norm: Norm = "batch", slope: float = 0.2, grey: bool = False
    ) -> None:
        """Build the tutorial's discriminator.

        Args:
            channels: of its input.
            classes: number of classes; not used.
            width: feature maps of the first layer; 2 and 4 times as many in the next.
            norm: normalisation of the second and third layer; `batch` does not go with a gradient penalty.
            slope: of the leaky ReLU.
            grey: average each image's channels first; the tutorial's images are grey.

        Raises:
            ConfigError: an option is out of range.
        """
        demand_at_least("discriminator patch34", 1, width=width)
        # A kernel of 4 keeps the size with three rows and columns of zeros; Keras puts the third at the end, too.
        layers = [
            nn.Conv2d(channels // 3 if grey else channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(slope),
            *patch_layer(width, 2 * width, norm, slope),
            nn.ZeroPad2d((1, 2, 1, 2)),
            *convolution(2 * width, 4 * width, 4, norm, nn.LeakyReLU(slope)),
            nn.ZeroPad2d((1, 2, 1, 2)),
            nn.Conv2d(4 * width, 1, 4),
        ]
        super().__init__("discriminator patch34", layers, 4, grey)
        initialise_glorot(self)


build = Patch34Discriminator
