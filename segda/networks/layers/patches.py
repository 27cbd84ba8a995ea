"""What the discriminators of patches share."""

from collections.abc import Iterable

from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.grey import to_grey
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.resolution import demand_size

# Of 70x70 patches: two layers of stride 1 each take a pixel off a map that has an eighth of the input's size.
LEAST_SIZE_70 = 24


class PatchScores(nn.Module):
    """Convolutions from an image or map to one raw score for each patch of it, `layers`.

    `name` is what messages call the discriminator, `least_size` the smallest height and width of its input; `grey`
    averages each image's channels first.
    """

    def __init__(self, name: str, layers: Iterable[nn.Module], least_size: int, grey: bool = False) -> None:
        super().__init__()
        self.name = name
        self.least_size = least_size
        self.grey = grey
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Scores `[B, 1, h, w]` of `[B, C, H, W]`.

        Raises:
            ConfigError: the input is smaller than `least_size`, or its channels are not three for each image (`grey`).
        """
        demand_size(x, self.least_size, self.name)
        return DiscriminatorOutput(self.layers(to_grey(x) if self.grey else x))


def patch_layer(inside: int, outside: int, norm: Norm, slope: float, stride: int = 2) -> list[nn.Module]:
    """A 4x4 convolution, normalised, with a leaky ReLU."""
    return convolution(inside, outside, 4, norm, nn.LeakyReLU(slope), stride=stride, padding=1)


def doubled(width: int, layers: int) -> list[int]:
    """Feature maps of `layers` layers: `width`, doubled in each further layer, up to eight times."""
    return [width * 2 ** min(index, 3) for index in range(layers)]
