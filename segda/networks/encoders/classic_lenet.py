"""LeNet as ADDA, CoGAN and DANN's successors train it on digits: two 5x5 convolutions with pooling, 500 units.

Source: LeCun et al., Gradient-based learning applied to document recognition (1998), in Caffe's sizes; Tzeng et al.,
ADDA (arXiv:1702.05464), section 5.1 and its code: 20 and 50 feature maps, 500 units, 28x28 images.
"""

from torch import Tensor, nn

from segda.networks.layers.grey import to_grey
from segda.networks.layers.option_checks import demand_at_least, demand_counts, demand_probability, demand_square
from segda.networks.layers.resolution import lenet_side


class ClassicLeNetEncoder(nn.Module):
    """The image and z, `[B, 500, 1, 1]`; the maps between have borders cut off and are no pyramid."""

    def __init__(
        self,
        size: int = 28,
        features: tuple[int, int] = (20, 50),
        hidden: int = 500,
        dropout: float = 0.0,
        grey: bool = False,
    ) -> None:
        """Build LeNet without its last layer.

        Args:
            size: height and width of the images.
            features: feature maps of the two convolutions.
            hidden: units of the fully connected layer.
            dropout: probability that a map of the second convolution, or a unit, is dropped in training; CyCADA: 0.5.
            grey: average the channels first.

        Raises:
            ConfigError: the size is too small, or another option is out of range.
        """
        super().__init__()
        side = lenet_side(size, "encoder classic_lenet")
        demand_counts("encoder classic_lenet", "features", features)
        demand_at_least("encoder classic_lenet", 1, hidden=hidden)
        demand_probability("encoder classic_lenet", "dropout", dropout)
        self.channels = (3, hidden)
        self.strides = (1, size)
        self.size = size
        self.grey = grey
        self.layers = nn.Sequential(
            nn.Conv2d(1 if grey else 3, features[0], 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(features[0], features[1], 5),
            nn.Dropout2d(dropout),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(features[1] * side**2, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Unflatten(1, (hidden, 1, 1)),
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """The image `[B, 3, size, size]` in `[-1, 1]`, and z `[B, hidden, 1, 1]`.

        Raises:
            ConfigError: the image has another size.
        """
        demand_square(image, self.size, "encoder classic_lenet")
        return [image, self.layers(to_grey(image) if self.grey else image)]


build = ClassicLeNetEncoder
