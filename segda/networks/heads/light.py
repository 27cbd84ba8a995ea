"""A light head for encoders of one coarse map, such as vision transformers: two doublings, then the classifier.

Source: Englert et al., VFM-UDA (arXiv:2406.09896) and its code, after the mask upscaling of Kirillov et al., Segment
Anything (arXiv:2304.02643): transposed 2x2 convolutions that halve the maps, layer normalisation over the maps of each
position, and a classifier without bias.
"""

from torch import Tensor, nn
from torch.nn import functional

from segda.networks.layers.option_checks import demand_at_least


class LightHead(nn.Module):
    """Logits at four times the size of z."""

    def __init__(self, channels: tuple[int, ...], strides: tuple[int, ...], classes: int, width: int = 0) -> None:
        """Build two transposed convolutions, a 3x3 convolution and the classifier.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            classes: number of classes.
            width: feature maps after the first doubling, half as many after the second; 0 for half of z's.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        width = width or channels[-1] // 2
        demand_at_least("head light", 2, width=width)
        half = width // 2
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(channels[-1], width, 2, stride=2),
            PositionNorm(width),
            nn.GELU(),
            nn.ConvTranspose2d(width, half, 2, stride=2),
            PositionNorm(half),
            nn.Conv2d(half, half, 3, padding=1, bias=False),
            PositionNorm(half),
        )
        self.classifier = nn.Conv2d(half, classes, 1, bias=False)
        nn.init.normal_(self.classifier.weight, 0.0, 0.1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, 4 h, 4 w]` from the last of `features`, `[B, C, h, w]`."""
        logits: Tensor = self.classifier(self.layers(features[-1]))
        return logits


class PositionNorm(nn.LayerNorm):
    """Layer normalisation over the maps of each position, affine."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[B, C, h, w]`."""
        last = functional.layer_norm(x.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps)
        return last.movedim(-1, 1).contiguous()


build = LightHead
