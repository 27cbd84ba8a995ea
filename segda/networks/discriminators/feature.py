"""The I2I paper's feature discriminator: three 1x1 convolutions, a score for every position of z.

Source: I2I paper (arXiv:1712.00479), section 5.2: features 500, 500, 1, leaky ReLU; the score itself stays raw here.
"""

from itertools import pairwise

from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.option_checks import demand_at_least


class FeatureDiscriminator(nn.Module):
    """A small fully connected network, applied at each position of a map."""

    def __init__(self, channels: int, classes: int, width: int = 500, layers: int = 3, slope: float = 0.2) -> None:
        """Build the I2I paper's feature discriminator.

        Args:
            channels: of its input.
            classes: number of classes; not used.
            width: feature maps of the hidden layers.
            layers: convolutions, the one that gives the score among them.
            slope: of the leaky ReLU.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        demand_at_least("discriminator feature", 1, width=width, layers=layers)
        widths = [channels, *[width] * (layers - 1)]
        body: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            body += [nn.Conv2d(inside, outside, 1), nn.LeakyReLU(slope)]
        self.layers = nn.Sequential(*body, nn.Conv2d(widths[-1], 1, 1))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Scores `[B, 1, h, w]` of `[B, C, h, w]`."""
        return DiscriminatorOutput(self.layers(x))


build = FeatureDiscriminator
