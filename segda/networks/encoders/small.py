"""A light encoder for demonstrations and tests on a CPU: strided convolutions and residual blocks, output stride 8."""

from torch import Tensor, nn

from segda.networks.layers.normalisation import Norm
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.residual_block import ResidualBlock, halving


class SmallEncoder(nn.Module):
    """Pyramid of the image and maps at strides 2, 4 and 8."""

    strides = (1, 2, 4, 8)
    channels_last = True

    def __init__(self, width: int = 32, blocks: int = 3, norm: Norm = "batch") -> None:
        """Build a light encoder with output stride 8.

        Args:
            width: feature maps at stride 2; twice and four times as many at strides 4 and 8.
            blocks: residual blocks at stride 8, with dilations 1, 2, 4, 4, ...
            norm: normalisation after each convolution.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        demand_at_least("encoder small", 1, width=width)
        demand_at_least("encoder small", 0, blocks=blocks)
        self.channels = (3, width, 2 * width, 4 * width)
        self.stride2 = halving(3, width, norm)
        self.stride4 = nn.Sequential(halving(width, 2 * width, norm), ResidualBlock(2 * width, norm), nn.ReLU())
        layers: list[nn.Module] = [halving(2 * width, 4 * width, norm)]
        for block in range(blocks):
            # Dilations 1, 2, 4 let a few blocks see far around each pixel.
            layers += [ResidualBlock(4 * width, norm, dilation=2 ** min(block, 2)), nn.ReLU()]
        self.stride8 = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up."""
        stride2 = self.stride2(image)
        stride4 = self.stride4(stride2)
        return [image, stride2, stride4, self.stride8(stride4)]


build = SmallEncoder
