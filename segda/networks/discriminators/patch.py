"""The I2I paper's image discriminator: four 4x4 convolutions of stride 2, scores for overlapping patches.

Source: I2I paper (arXiv:1712.00479), sections 5.1 to 5.3: features 64, 128, 256, 1, instance normalisation, leaky ReLU.
The last layer stays raw here: a normalised score could not tell a real image from a fake one.
"""

from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.grey import to_grey
from segda.networks.layers.initialisation import initialise_normal
from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.resolution import demand_size


class PatchDiscriminator(nn.Module):
    """One score for each patch of the input."""

    semantic = False

    def __init__(self, channels: int, width: int, layers: int, norm: Norm, slope: float, grey: bool) -> None:
        """Build the layers; see `build`."""
        super().__init__()
        self.grey = grey
        self.least_size = 2**layers
        widths = [channels // 3 if grey else channels, *(width * 2 ** min(index, 3) for index in range(layers - 1))]
        body: list[nn.Module] = []
        for inside, outside in zip(widths, widths[1:], strict=False):
            body += [
                nn.Conv2d(inside, outside, 4, stride=2, padding=1, bias=has_bias(norm)),
                normalisation(norm, outside),
                nn.LeakyReLU(slope),
            ]
        self.layers = nn.Sequential(*body, nn.Conv2d(widths[-1], 1, 4, stride=2, padding=1))
        if norm != "none":
            initialise_normal(self)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judge `[B, C, H, W]`; scores `[B, 1, H / 2^layers, W / 2^layers]`.

        Raises:
            ConfigError: the input is smaller than one patch, or grey is made of what is no image.
        """
        demand_size(x, self.least_size, "discriminator patch")
        return DiscriminatorOutput(self.layers(to_grey(x) if self.grey else x))


def build(
    channels: int,
    classes: int,
    width: int = 64,
    layers: int = 4,
    norm: Norm = "instance",
    slope: float = 0.2,
    grey: bool = False,
) -> PatchDiscriminator:
    """The I2I paper's image discriminator.

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
    return PatchDiscriminator(channels, width, layers, norm, slope, grey)
