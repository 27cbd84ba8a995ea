"""The I2I paper's modified LeNet for digits: four 4x4 convolutions of stride 2, output stride 16.

Source: I2I paper (arXiv:1712.00479), section 5.1: features 64, 64, 128, 128, batch normalisation, ReLU, 32x32 images.
"""

from torch import Tensor, nn

from segda.networks.layers.grey import to_grey
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.resolution import to_even


class LeNetEncoder(nn.Module):
    """Pyramid of the image and maps at strides 2, 4, 8 and 16; z is `[B, 128, 2, 2]` for 32x32 images."""

    strides = (1, 2, 4, 8, 16)

    def __init__(self, width: int = 64, grey: bool = False, norm: Norm = "batch") -> None:
        """Build the I2I paper's encoder of digits.

        Args:
            width: feature maps of the first two layers; twice as many in the last two.
            grey: average the channels first, as the paper does with SVHN.
            norm: normalisation after each convolution.

        Raises:
            ConfigError: `width` is not positive.
        """
        super().__init__()
        demand_at_least("encoder lenet", 1, width=width)
        self.channels = (3, width, width, 2 * width, 2 * width)
        self.grey = grey
        inputs = (1 if grey else 3, *self.channels[1:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(*convolution(inside, outside, 4, norm, nn.ReLU(), stride=2, padding=1))
            for inside, outside in zip(inputs, self.channels[1:], strict=True)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up.

        Raises:
            ConfigError: batch normalisation, in training, of one image that shrinks to a single pixel.
        """
        features = [image]
        x = to_grey(image) if self.grey else image
        for stage in self.stages:
            x = stage(to_even(x))
            features.append(x)
        return features


build = LeNetEncoder
