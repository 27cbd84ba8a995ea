"""CycleGAN's discriminator: C64-C128-C256-C512, a score for every 70x70 patch.

Source: Zhu et al., CycleGAN (arXiv:1703.10593), appendix 7.2; Isola et al., pix2pix (arXiv:1611.07004), 6.1.2.
"""

from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.initialisation import initialise_normal
from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.resolution import demand_size

# The two layers of stride 1 each take a pixel off a map that has an eighth of the input's size.
LEAST_SIZE = 24


class Patch70Discriminator(nn.Module):
    """One score for each 70x70 patch of the input."""

    semantic = False

    def __init__(self, channels: int, width: int, norm: Norm, slope: float) -> None:
        """Build the layers; see `build`."""
        super().__init__()
        body: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(slope)]
        for inside, outside, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            body += [
                nn.Conv2d(inside * width, outside * width, 4, stride=stride, padding=1, bias=has_bias(norm)),
                normalisation(norm, outside * width),
                nn.LeakyReLU(slope),
            ]
        self.layers = nn.Sequential(*body, nn.Conv2d(8 * width, 1, 4, padding=1))
        if norm != "none":
            initialise_normal(self)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judge `[B, C, H, W]`; scores `[B, 1, H / 8 - 2, W / 8 - 2]`.

        Raises:
            ConfigError: the input has fewer than 24 pixels on a side.
        """
        demand_size(x, LEAST_SIZE, "discriminator patch70")
        return DiscriminatorOutput(self.layers(x))


def build(
    channels: int, classes: int, width: int = 64, norm: Norm = "instance", slope: float = 0.2
) -> Patch70Discriminator:
    """CycleGAN's 70x70 PatchGAN.

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
    return Patch70Discriminator(channels, width, norm, slope)
