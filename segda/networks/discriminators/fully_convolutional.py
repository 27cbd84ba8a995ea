"""AdaptSegNet's discriminator of segmentation maps: 4x4 convolutions of stride 2 without normalisation.

Source: Tsai et al., Learning to Adapt Structured Output Space (arXiv:1802.10349), section 4.3: features 64, 128, 256,
512, 1, leaky ReLU 0.2.
"""

from itertools import pairwise

from torch import nn

from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.patches import PatchScores, doubled


class FullyConvolutionalDiscriminator(PatchScores):
    """One score for each patch of a map of classes or features: `[B, 1, H / 2^layers, W / 2^layers]`."""

    def __init__(self, channels: int, classes: int, width: int = 64, layers: int = 5, slope: float = 0.2) -> None:
        """Build AdaptSegNet's discriminator.

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
        widths = [channels, *doubled(width, layers - 1)]
        body: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            body += [nn.Conv2d(inside, outside, 4, stride=2, padding=1), nn.LeakyReLU(slope)]
        body.append(nn.Conv2d(widths[-1], 1, 4, stride=2, padding=1))
        super().__init__("discriminator fully_convolutional", body, 2**layers)


build = FullyConvolutionalDiscriminator
