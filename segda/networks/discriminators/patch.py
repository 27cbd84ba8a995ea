"""The I2I paper's image discriminator: four 4x4 convolutions of stride 2, scores for overlapping patches.

Source: I2I paper (arXiv:1712.00479), sections 5.1 to 5.3: features 64, 128, 256, 1, instance normalisation, leaky ReLU.
The last layer stays raw here: a normalised score could not tell a real image from a fake one.
"""

from itertools import pairwise

from torch import nn

from segda.networks.layers.initialisation import initialise_normal
from segda.networks.layers.normalisation import Norm
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.patches import PatchScores, doubled, patch_layer


class PatchDiscriminator(PatchScores):
    """One score for each patch of the input: `[B, 1, H / 2^layers, W / 2^layers]`."""

    def __init__(
        self,
        channels: int,
        classes: int,
        width: int = 64,
        layers: int = 4,
        norm: Norm = "instance",
        slope: float = 0.2,
        grey: bool = False,
    ) -> None:
        """Build the I2I paper's image discriminator.

        Args:
            channels: of its input.
            classes: number of classes; not used.
            width: feature maps of the first layer, doubled in each further one, up to eight times.
            layers: convolutions of stride 2, the one that gives the score among them.
            norm: normalisation after each layer but the last; `batch` does not go with a gradient penalty.
            slope: of the leaky ReLU.
            grey: average each image's channels first.

        Raises:
            ConfigError: an option is out of range.
        """
        demand_at_least("discriminator patch", 1, width=width, layers=layers)
        widths = [channels // 3 if grey else channels, *doubled(width, layers - 1)]
        body: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            body += patch_layer(inside, outside, norm, slope)
        body.append(nn.Conv2d(widths[-1], 1, 4, stride=2, padding=1))
        super().__init__("discriminator patch", body, 2**layers, grey)
        if norm != "none":
            initialise_normal(self)


build = PatchDiscriminator
