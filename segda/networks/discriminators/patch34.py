"""The domain adaptation tutorial's discriminator for digits: a score for every 34x34 patch, at a quarter of the size.

Source: the KAIST tutorial's Keras code: 4x4 convolutions of 64, 128, 256 and 1 features, the first two of stride 2,
batch normalisation between them, leaky ReLU 0.2, zero padding that keeps sizes; weights start as Keras starts them.
"""

from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.grey import to_grey
from segda.networks.layers.initialisation import initialise_glorot
from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.resolution import demand_size

LEAST_SIZE = 4


class Patch34Discriminator(nn.Module):
    """One score for each 34x34 patch of the input."""

    semantic = False

    def __init__(self, channels: int, width: int, norm: Norm, slope: float, grey: bool) -> None:
        """Build the layers; see `build`."""
        super().__init__()
        self.grey = grey
        inputs = channels // 3 if grey else channels
        bias = has_bias(norm)
        # A kernel of 4 keeps the size with three rows and columns of zeros; Keras puts the third at the end, too.
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, width, 4, stride=2, padding=1),
            nn.LeakyReLU(slope),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=bias),
            normalisation(norm, 2 * width),
            nn.LeakyReLU(slope),
            nn.ZeroPad2d((1, 2, 1, 2)),
            nn.Conv2d(2 * width, 4 * width, 4, bias=bias),
            normalisation(norm, 4 * width),
            nn.LeakyReLU(slope),
            nn.ZeroPad2d((1, 2, 1, 2)),
            nn.Conv2d(4 * width, 1, 4),
        )
        initialise_glorot(self)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judge `[B, C, H, W]`; scores `[B, 1, H / 4, W / 4]`.

        Raises:
            ConfigError: the input has fewer than 4 pixels on a side, or grey is made of what is no image.
        """
        demand_size(x, LEAST_SIZE, "discriminator patch34")
        return DiscriminatorOutput(self.layers(to_grey(x) if self.grey else x))


def build(
    channels: int, classes: int, width: int = 64, norm: Norm = "batch", slope: float = 0.2, grey: bool = False
) -> Patch34Discriminator:
    """The tutorial's discriminator.

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
    return Patch34Discriminator(channels, width, norm, slope, grey)
