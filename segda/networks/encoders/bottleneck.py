"""Any encoder with a narrow fully connected layer behind it, which the head and a feature adversary share.

Source: Tzeng et al., Deep Domain Confusion (arXiv:1412.3474), section 4: an adaptation layer of 256 units; Long et al.,
CDAN (arXiv:1705.10667), section 4.1: the same as a bottleneck before the classifier.
"""

from typing import Any

from torch import Tensor, nn

from segda.config import lookup
from segda.errors import ConfigError
from segda.networks import component
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least, demand_probability


class BottleneckEncoder(nn.Module):
    """The wrapped encoder's pyramid, and behind it z, `[B, 256, 1, 1]`, the same for images of any size.

    The last of `strides` repeats the wrapped encoder's, by which images have to divide.
    """

    def __init__(self, encoder: dict[str, Any], width: int = 256, norm: Norm = "none", dropout: float = 0.0) -> None:
        """Put global average pooling, a linear layer and ReLU behind another encoder.

        Args:
            encoder: `name` and options of the encoder to wrap.
            width: units of the linear layer.
            norm: normalisation of the units; CDAN's later code has `batch`.
            dropout: probability that a unit is dropped in training.

        Raises:
            ConfigError: the wrapped encoder is configured wrongly, or an option is out of range.
        """
        super().__init__()
        demand_at_least("encoder bottleneck", 1, width=width)
        demand_probability("encoder bottleneck", "dropout", dropout)
        wrapped: Any = component.build("encoder", encoder, "encoder bottleneck: encoder")
        name = encoder["name"]
        if getattr(lookup.module("segda.networks.encoders", name), "PER_DOMAIN", False):
            raise ConfigError(f"encoder bottleneck: cannot wrap {name!r}, which takes the domain, too; use it alone")
        self.channels: tuple[int, ...] = (*wrapped.channels, width)
        self.strides: tuple[int, ...] = (*wrapped.strides, wrapped.strides[-1])
        self.encoder = wrapped
        linear = convolution(wrapped.channels[-1], width, 1, norm, nn.ReLU())
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(1), *linear, nn.Dropout(dropout))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse, the last `[B, width, 1, 1]`.

        Raises:
            ConfigError: as the wrapped encoder; or batch normalisation, in training, of a single image.
        """
        features: list[Tensor] = list(self.encoder(image))
        return [*features, self.layers(features[-1])]


build = BottleneckEncoder
