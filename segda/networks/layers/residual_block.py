"""The residual block of two 3x3 convolutions, and the convolution that halves the size before it."""

from typing import Literal

from torch import Tensor, nn

from segda.networks.layers.normalisation import Norm, convolution


class ResidualBlock(nn.Module):
    """`x + norm(conv(relu(norm(conv(x)))))`, with nothing after the sum.

    `padding` surrounds the map; `reflect` avoids the dark rims of zeros in translated images.

    Source: Zhu et al., CycleGAN (arXiv:1703.10593), appendix 7.2.
    """

    def __init__(
        self, channels: int, norm: Norm, *, padding: Literal["zeros", "reflect"] = "zeros", dilation: int = 1
    ) -> None:
        super().__init__()
        options = {"padding": dilation, "dilation": dilation, "padding_mode": padding}
        first, second = (convolution(channels, channels, 3, norm, nn.ReLU(), **options) for _ in range(2))
        self.body = nn.Sequential(*first, *second[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to the same shape."""
        changed: Tensor = self.body(x)
        return x + changed


def halving(inside: int, outside: int, norm: Norm) -> nn.Sequential:
    """A 3x3 convolution of stride 2, normalised, with ReLU."""
    return nn.Sequential(*convolution(inside, outside, 3, norm, nn.ReLU(), stride=2, padding=1))
