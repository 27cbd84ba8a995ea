"""One class for the whole image: global average pooling, then a linear layer.

Source: I2I paper (arXiv:1712.00479), section 5.2; Lin et al., Network In Network (arXiv:1312.4400), section 3.2.
"""

from torch import Tensor, nn

from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_at_least, demand_probability


class PooledHead(nn.Module):
    """Logits `[B, K, 1, 1]` of z's average over all places."""

    def __init__(self, channels: int, classes: int, width: int, norm: Norm, dropout: float) -> None:
        """Build the layers; see `build`."""
        super().__init__()
        hidden: list[nn.Module] = []
        if width:
            hidden = [nn.Conv2d(channels, width, 1, bias=has_bias(norm)), normalisation(norm, width), nn.ReLU()]
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), *hidden, nn.Dropout(dropout), nn.Conv2d(width or channels, classes, 1)
        )

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, 1, 1]` from the last of `features`, of any size.

        Raises:
            ConfigError: batch normalisation, in training, of a single image.
        """
        logits: Tensor = self.layers(features[-1])
        return logits


def build(
    channels: tuple[int, ...],
    strides: tuple[int, ...],
    classes: int,
    width: int = 0,
    norm: Norm = "none",
    dropout: float = 0.0,
) -> PooledHead:
    """Global average pooling and a linear classifier.

    Args:
        channels: of the encoder's maps.
        strides: of the encoder's maps.
        classes: number of classes.
        width: units of a hidden layer before the classifier; 0 for none. An adversary that is to see that layer
            needs the encoder `bottleneck` instead.
        norm: normalisation of the hidden layer.
        dropout: probability that a unit before the classifier is left out in training.

    Raises:
        ConfigError: an option is out of range.
    """
    demand_at_least("head pooled", 0, width=width)
    demand_probability("head pooled", "dropout", dropout)
    return PooledHead(channels[-1], classes, width, norm, dropout)
