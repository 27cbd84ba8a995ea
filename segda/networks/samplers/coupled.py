"""CoGAN's coupled generators for digits: from noise to an image of either domain, the last layer of each one's own.

Source: Liu and Tuzel, Coupled Generative Adversarial Networks (arXiv:1606.07536), and its code for MNIST and USPS:
transposed convolutions of 1024, 512, 256, 128 and 1 features, batch normalisation without scale and shift, PReLU, 28x28
images. A tanh ends it here instead of a sigmoid, since images lie in [-1, 1].
"""

import math
from itertools import pairwise

from torch import Tensor, nn

from segda.errors import ConfigError
from segda.networks.layers.grey import from_grey
from segda.networks.layers.initialisation import initialise_glorot
from segda.networks.layers.option_checks import demand_at_least

# The side of the last shared map.
LEAST_SIZE = 25


class CoupledSampler(nn.Module):
    """Shared layers from noise to features, and the last layer of each domain."""

    def __init__(
        self, domains: tuple[str, ...], noise: int = 100, width: int = 128, size: int = 28, grey: bool = False
    ) -> None:
        """Build CoGAN's generators.

        Args:
            domains: the domains to make images of.
            noise: how many numbers an image is made from.
            width: feature maps of the last shared layer; 2, 4 and 8 times as many before it.
            size: height and width of the images, from 25; other than the authors' 28, by a last kernel of another size.
            grey: make one channel and repeat it.

        Raises:
            ConfigError: an option is not positive, or the size is too small.
        """
        super().__init__()
        demand_at_least("sampler coupled", 1, noise=noise, width=width)
        demand_at_least("sampler coupled", LEAST_SIZE, size=size)
        self.noise = noise
        self.grey = grey
        body: list[nn.Module] = []
        for index, (inside, outside) in enumerate(pairwise((noise, 8 * width, 4 * width, 2 * width, width))):
            # The first is a dense layer to 4x4; then 7x7, 13x13 and 25x25.
            kernel, stride, padding = (3, 2, 1) if index else (4, 1, 0)
            body += [
                nn.ConvTranspose2d(inside, outside, kernel, stride=stride, padding=padding),
                nn.BatchNorm2d(outside, affine=False),
                nn.PReLU(),
            ]
        self.shared = nn.Sequential(*body)
        self.own = nn.ModuleDict(
            {domain: nn.ConvTranspose2d(width, 1 if grey else 3, size - 22, padding=1) for domain in domains}
        )
        self.tanh = nn.Tanh()
        # As CoGAN's code starts both its networks.
        initialise_glorot(self, gain=math.sqrt(2), bias=0.1)

    def forward(self, noise: Tensor, domain: str) -> Tensor:
        """Images `[B, 3, size, size]` of `domain` in `[-1, 1]`; one noise gives corresponding images of both domains.

        The noise, `[B, N]`, is standard normal or even in `[-1, 1]`.

        Raises:
            ConfigError: the noise has another length.
        """
        if noise.shape[-1] != self.noise:
            raise ConfigError(
                f"sampler coupled: got {noise.shape[-1]} numbers of noise, is built for {self.noise}; set its `noise`"
            )
        image: Tensor = self.tanh(self.own[domain](self.shared(noise[:, :, None, None])))
        return from_grey(image) if self.grey else image


build = CoupledSampler
