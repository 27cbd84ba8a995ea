"""The trunk of CoGAN's coupled discriminators for digits: the first layer of each domain's own, the others shared.

Source: Liu and Tuzel, Coupled Generative Adversarial Networks (arXiv:1606.07536), and its code for MNIST and USPS:
convolutions of 20 and 50 maps, each pooled without a nonlinearity, 500 units with PReLU, 28x28 images.
"""

import math

from torch import Tensor, nn

from segda.batch import DOMAINS
from segda.networks.layers.grey import to_grey
from segda.networks.layers.initialisation import initialise_glorot
from segda.networks.layers.option_checks import demand_at_least, demand_counts, demand_square
from segda.networks.layers.resolution import lenet_side

# `forward` takes the domain, too, as a method with `tied: partly` passes it.
PER_DOMAIN = True


class CoupledEncoder(nn.Module):
    """The image and z, `[B, 500, 1, 1]`."""

    def __init__(
        self, size: int = 28, features: tuple[int, int] = (20, 50), hidden: int = 500, grey: bool = False
    ) -> None:
        """Build CoGAN's trunk, for methods with `tied: partly`.

        Args:
            size: height and width of the images.
            features: feature maps of the two convolutions.
            hidden: units of the fully connected layer.
            grey: average the channels first.

        Raises:
            ConfigError: the size is too small, or another option is out of range.
        """
        super().__init__()
        side = lenet_side(size, "encoder coupled")
        demand_counts("encoder coupled", "features", features)
        demand_at_least("encoder coupled", 1, hidden=hidden)
        self.channels = (3, hidden)
        self.strides = (1, size)
        self.size = size
        self.grey = grey
        self.own = nn.ModuleDict({domain: nn.Conv2d(1 if grey else 3, features[0], 5) for domain in DOMAINS})
        self.shared = nn.Sequential(
            nn.MaxPool2d(2),
            nn.Conv2d(features[0], features[1], 5),
            nn.MaxPool2d(2),
            nn.Conv2d(features[1], hidden, side),
            nn.PReLU(),
        )
        # As CoGAN's code starts both its networks.
        initialise_glorot(self, gain=math.sqrt(2), bias=0.1)

    def forward(self, image: Tensor, domain: str) -> list[Tensor]:
        """The image `[B, 3, size, size]` of `domain` in `[-1, 1]`, and z `[B, hidden, 1, 1]`.

        Raises:
            ConfigError: the image has another size.
        """
        demand_square(image, self.size, "encoder coupled")
        return [image, self.shared(self.own[domain](to_grey(image) if self.grey else image))]


build = CoupledEncoder
