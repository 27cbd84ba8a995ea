"""The contracting half of pix2pix's U-Net: 4x4 convolutions of stride 2 down to a single pixel.

Source: Isola et al., pix2pix (arXiv:1611.07004), section 6.1.1: C64-C128-C256-C512-C512-C512-C512-C512, leaky ReLU
0.2, batch normalisation but in the first layer; as in its code, not in the last either, where a map may be one pixel.
"""

from torch import Tensor, nn

from segda.networks.layers.initialisation import initialise_normal
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.resolution import to_even


class UnetEncoder(nn.Module):
    """Pyramid of the image and maps at strides 2, 4, 8 and so on."""

    def __init__(self, width: int = 64, levels: int = 8, norm: Norm = "batch") -> None:
        """Build the contracting half of a U-Net; the decoder `unet` expands and uses every map.

        Args:
            width: feature maps of the first layer; 2, 4 and 8 times as many in the next, and then no more.
            levels: convolutions of stride 2; pix2pix has 8 for 256x256 images, 7 for 128x128.
            norm: normalisation after each layer but the first and last.

        Raises:
            ConfigError: an option is not positive.
        """
        super().__init__()
        demand_at_least("encoder unet", 1, width=width, levels=levels)
        self.channels = (3, *(width * 2 ** min(level, 3) for level in range(levels)))
        self.strides = tuple(2**level for level in range(levels + 1))
        self.stages = nn.ModuleList()
        for level in range(levels):
            chosen: Norm = "none" if level in (0, levels - 1) else norm
            inside, outside = self.channels[level], self.channels[level + 1]
            stage = convolution(inside, outside, 4, chosen, nn.LeakyReLU(0.2), stride=2, padding=1)
            self.stages.append(nn.Sequential(*stage))
        if norm != "none":
            initialise_normal(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up."""
        features = [image]
        for stage in self.stages:
            features.append(stage(to_even(features[-1])))
        return features


build = UnetEncoder
