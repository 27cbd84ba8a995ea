"""AdaptSegNet's discriminator of segmentation maps: 4x4 convolutions of stride 2 without normalisation.

Source: Tsai et al., Learning to Adapt Structured Output Space (arXiv:1802.10349), section 4.3: features 64, 128, 256,
512, 1, leaky ReLU 0.2.
"""

from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.resolution import demand_size


class FullyConvolutionalDiscriminator(nn.Module):
    """One score for each patch of a map of classes or features."""

    semantic = False

    def __init__(self, channels: int, width: int, layers: int, slope: float) -> None:
        """Build the layers; see `build`."""
        super().__init__()
        self.least_size = 2**layers
        widths = [channels, *(width * 2 ** min(index, 3) for index in range(layers - 1))]
        body: list[nn.Module] = []
        for inside, outside in zip(widths, widths[1:], strict=False):
            body += [nn.Conv2d(inside, outside, 4, stride=2, padding=1), nn.LeakyReLU(slope)]
        self.layers = nn.Sequential(*body, nn.Conv2d(widths[-1], 1, 4, stride=2, padding=1))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judge `[B, C, H, W]`; scores `[B, 1, H / 2^layers, W / 2^layers]`.

        Raises:
            ConfigError: the input is smaller than one patch.
        """
        demand_size(x, self.least_size, "discriminator fully_convolutional")
        return DiscriminatorOutput(self.layers(x))


def build(
    channels: int, classes: int, width: int = 64, layers: int = 5, slope: float = 0.2
) -> FullyConvolutionalDiscriminator:
    """AdaptSegNet's discriminator.

    Args:
        channels: of its input.
        classes: number of classes; not used.
        width: feature maps of the first layer, doubled in each further one, up to eight times.
        layers: convolutions of stride 2, the one that gives the score among them; fewer for small maps.
        slope: of the leaky ReLU.

    Raises:
        ConfigError: an option is out of range.
    """
    demand_at_least("discriminator fully_convolutional", 1, width=width, layers=layers)
    return FullyConvolutionalDiscriminator(channels, width, layers, slope)
