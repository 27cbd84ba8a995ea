"""The residual block of two 3x3 convolutions."""

from typing import Literal

from torch import Tensor, nn

from segda.networks.layers.normalisation import Norm, has_bias, normalisation


class ResidualBlock(nn.Module):
    """`x + norm(conv(relu(norm(conv(x)))))`, with nothing after the sum.

    Source: Zhu et al., CycleGAN (arXiv:1703.10593), appendix 7.2.
    """

    def __init__(
        self, channels: int, norm: Norm, *, padding: Literal["zeros", "reflect"] = "zeros", dilation: int = 1
    ) -> None:
        """Build the block.

        Args:
            channels: of input and output.
            norm: normalisation after each convolution.
            padding: what surrounds the map; `reflect` avoids the dark rims of zeros in translated images.
            dilation: of both convolutions.
        """
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                nn.Conv2d(
                    channels,
                    channels,
                    3,
                    padding=dilation,
                    dilation=dilation,
                    padding_mode=padding,
                    bias=has_bias(norm),
                ),
                normalisation(norm, channels),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to the same shape."""
        changed: Tensor = self.body(x)
        return x + changed
