"""The first half of CycleGAN's ResNet generator: c7s1-64, d128, d256, then residual blocks; output stride 4.

Source: Zhu et al., CycleGAN (arXiv:1703.10593), appendix 7.2. With `blocks: 0`, `norm: batch`, `grey`,
`padding: zeros` and `initialisation: glorot` it is the first half of the domain adaptation tutorial's generator for
digits.
"""

from typing import Literal

from torch import Tensor, nn

from segda.networks.layers.grey import to_grey
from segda.networks.layers.initialisation import INITIALISE, Initialisation
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.residual_block import ResidualBlock, halving
from segda.networks.layers.resolution import demand_size

# Below this the reflection padding is as large as the maps themselves.
LEAST_SIZE = 8


class TranslatorEncoder(nn.Module):
    """Pyramid of the image and maps at strides 1, 2 and 4."""

    strides = (1, 1, 2, 4)
    channels_last = True

    def __init__(
        self,
        width: int = 64,
        blocks: int = 5,
        norm: Norm = "instance",
        padding: Literal["zeros", "reflect"] = "reflect",
        initialisation: Initialisation = "normal",
        grey: bool = False,
    ) -> None:
        """Build the first half of CycleGAN's generator.

        Args:
            width: feature maps at stride 1; twice and four times as many at strides 2 and 4.
            blocks: residual blocks; with the decoder's, CycleGAN has 6 for 128-pixel images and 9 for larger ones.
            norm: normalisation after each convolution.
            padding: what surrounds the maps; `reflect` avoids dark rims.
            initialisation: `normal` is CycleGAN's, `glorot` Keras's.
            grey: average the channels first.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        demand_at_least("encoder translator", 1, width=width)
        demand_at_least("encoder translator", 0, blocks=blocks)
        self.grey = grey
        self.channels = (3, width, 2 * width, 4 * width)
        first = convolution(1 if grey else 3, width, 7, norm, nn.ReLU(), padding=3, padding_mode=padding)
        self.stride1 = nn.Sequential(*first)
        self.stride2 = halving(width, 2 * width, norm)
        self.stride4 = halving(2 * width, 4 * width, norm)
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width, norm, padding=padding) for _ in range(blocks)))
        if norm != "none" or initialisation == "glorot":
            INITIALISE[initialisation](self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up.

        Raises:
            ConfigError: the image has fewer than 8 pixels on a side.
        """
        demand_size(image, LEAST_SIZE, "encoder translator")
        stride1 = self.stride1(to_grey(image) if self.grey else image)
        stride2 = self.stride2(stride1)
        return [image, stride1, stride2, self.blocks(self.stride4(stride2))]


build = TranslatorEncoder
