"""Any encoder with a narrow fully connected layer behind it, which the head and a feature adversary share.

Source: Tzeng et al., Deep Domain Confusion (arXiv:1412.3474), section 4: an adaptation layer of 256 units; Long et al.,
CDAN (arXiv:1705.10667), section 4.1: the same as a bottleneck before the classifier.
"""

from typing import Any

from torch import Tensor, nn

from segda.config import lookup
from segda.errors import ConfigError
from segda.networks import component
from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_at_least, demand_probability


class BottleneckEncoder(nn.Module):
    """The wrapped encoder's pyramid, and behind it z, `[B, 256, 1, 1]`, the same for images of any size.

    The last of `strides` repeats the wrapped encoder's, by which images have to divide.
    """

    def __init__(self, encoder: Any, width: int, norm: Norm, dropout: float) -> None:
        """Build the layers; see `build`."""
        super().__init__()
        self.channels: tuple[int, ...] = (*encoder.channels, width)
        self.strides: tuple[int, ...] = (*encoder.strides, encoder.strides[-1])
        self.encoder = encoder
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(encoder.channels[-1], width, 1, bias=has_bias(norm)),
            normalisation(norm, width),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse, the last `[B, width, 1, 1]`.

        Raises:
            ConfigError: as the wrapped encoder; or batch normalisation, in training, of a single image.
        """
        features: list[Tensor] = list(self.encoder(image))
        return [*features, self.layers(features[-1])]


def build(encoder: dict[str, Any], width: int = 256, norm: Norm = "none", dropout: float = 0.0) -> BottleneckEncoder:
    """Global average pooling, a linear layer and ReLU behind another encoder.

    Args:
        encoder: `name` and options of the encoder to wrap.
        width: units of the linear layer.
        norm: normalisation of the units; CDAN's later code has `batch`.
        dropout: probability that a unit is left out in training.

    Raises:
        ConfigError: the wrapped encoder is configured wrongly, or an option is out of range.
    """
    demand_at_least("encoder bottleneck", 1, width=width)
    demand_probability("encoder bottleneck", "dropout", dropout)
    wrapped: Any = component.build("encoder", encoder, "encoder bottleneck: encoder")
    name = encoder["name"]
    if getattr(lookup.module("segda.networks.encoders", name), "PER_DOMAIN", False):
        raise ConfigError(f"encoder bottleneck: cannot wrap {name!r}, which is told the domain; use it alone")
    return BottleneckEncoder(wrapped, width, norm, dropout)
