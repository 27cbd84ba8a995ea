"""The domain adaptation tutorial's digit network: two 7x7 convolutions with pooling and a dense layer.

Source: the KAIST tutorial's Keras code: 32 and 64 feature maps, zero padding, 128 units, ReLU, 28x28 grey images in
`[0, 1]`, so that the padding is as black as the background; weights start as Keras starts them.
"""

import math

from torch import Tensor, nn

from segda.errors import ConfigError
from segda.networks.layers.grey import to_grey
from segda.networks.layers.initialisation import initialise_glorot
from segda.networks.layers.option_checks import demand_at_least, demand_counts, demand_square


class TwoConvolutionsEncoder(nn.Module):
    """Pyramid of the image, maps at strides 2 and 4, and z, `[B, 128, 1, 1]`."""

    def __init__(
        self,
        size: int = 28,
        features: tuple[int, int] = (32, 64),
        hidden: int = 128,
        grey: bool = False,
        input_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        """Build the tutorial's feature extractor.

        Args:
            size: height and width of the images, a multiple of 4.
            features: feature maps of the two convolutions.
            hidden: units of the dense layer.
            grey: average the channels first; the tutorial's images are grey.
            input_range: values of black and white for the first convolution, the tutorial's by default.

        Raises:
            ConfigError: the size does not divide by 4, or another option is out of range.
        """
        super().__init__()
        if size < 4 or size % 4:
            fitting = 4 * max(round(size / 4), 1)
            raise ConfigError(f"encoder two_convolutions: size is {size}, must be a multiple of 4; use {fitting}")
        demand_counts("encoder two_convolutions", "features", features)
        demand_at_least("encoder two_convolutions", 1, hidden=hidden)
        low, high = input_range
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ConfigError(
                f"encoder two_convolutions: input_range is {list(input_range)}, must be two finite numbers, black's "
                "value below white's; use [0, 1]"
            )
        self.channels = (3, *features, hidden)
        self.strides = (1, 2, 4, size)
        self.size = size
        self.grey = grey
        self.input_range = input_range
        self.stride2 = _halve(1 if grey else 3, features[0])
        self.stride4 = _halve(features[0], features[1])
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(features[1] * (size // 4) ** 2, hidden), nn.ReLU(), nn.Unflatten(1, (hidden, 1, 1))
        )
        initialise_glorot(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, size, size]` in `[-1, 1]`, fine to coarse.

        Raises:
            ConfigError: the image has another size.
        """
        demand_square(image, self.size, "encoder two_convolutions")
        low, high = self.input_range
        scaled = (image + 1) * ((high - low) / 2) + low
        stride2 = self.stride2(to_grey(scaled) if self.grey else scaled)
        stride4 = self.stride4(stride2)
        return [image, stride2, stride4, self.dense(stride4)]


build = TwoConvolutionsEncoder


def _halve(inside: int, outside: int) -> nn.Sequential:
    """A 7x7 convolution with ReLU, then pooling."""
    return nn.Sequential(nn.Conv2d(inside, outside, 7, padding=3), nn.ReLU(), nn.MaxPool2d(2))
