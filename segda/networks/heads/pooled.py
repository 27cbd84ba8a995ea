"""One class for the whole image: global average pooling, then a linear layer.

Source: I2I paper (arXiv:1712.00479), section 5.2; Lin et al., Network In Network (arXiv:1312.4400), section 3.2.
"""

from torch import Tensor, nn

from segda.networks.layers.classifier import classifier
from segda.networks.layers.normalisation import Norm


class PooledHead(nn.Module):
    """Logits `[B, K, 1, 1]` of z's average over all positions."""

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        classes: int,
        width: int = 0,
        norm: Norm = "none",
        dropout: float = 0.0,
    ) -> None:
        """Build global average pooling and a linear classifier.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            classes: number of classes.
            width: units of a hidden layer before the classifier; 0 for none. If a discriminator is to see that layer,
                use the encoder `bottleneck` instead.
            norm: normalisation of the hidden layer.
            dropout: probability that a unit before the classifier is dropped in training.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        layers = classifier("head pooled", channels[-1], classes, width, norm, dropout)
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(1), *layers)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, 1, 1]` from the last of `features`, of any size.

        Raises:
            ConfigError: batch normalisation, in training, of a single image.
        """
        logits: Tensor = self.layers(features[-1])
        return logits


build = PooledHead
