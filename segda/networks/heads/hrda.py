"""Any head at two scales, whose logits a learned attention weighs for every class at every position.

Source: Hoyer et al., HRDA (arXiv:2204.13132), section 3.2 and its code: attention by a head like SegFormer's, 256 maps,
from the context alone.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.errors import ConfigError
from segda.networks import component
from segda.networks.layers.embedded_levels import EmbeddedLevels
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.two_scales import Corners


class HrdaHead(nn.Module):
    """Logits at twice the size of the wrapped head's: `up((1 - a) * context) + up(a) * detail`.

    `context` are the wrapped head's logits of the image at half its resolution, `detail` those of crops at all of it
    in their places, averaged where they overlap, and `a` is the attention, 0 where there is no crop.

    Attributes:
        detail_multiple: of how many pixels the crops' corners are multiples: the encoder's output stride.
    """

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        classes: int,
        head: dict[str, Any],
        width: int = 256,
        norm: Norm = "batch",
    ) -> None:
        """Build a head and the attention.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            classes: number of classes.
            head: `name` and options of the head to wrap.
            width: feature maps of each level in the attention.
            norm: normalisation in the attention.

        Raises:
            ConfigError: the wrapped head is configured wrongly, the encoder has no map of stride 4 or more, or an
                option is out of range.
        """
        super().__init__()
        demand_at_least("head hrda", 1, width=width)
        self.detail_multiple = strides[-1]
        self.head = component.build("head", head, "head hrda: head", channels, strides, classes)
        embed = EmbeddedLevels(channels, strides, width, "head hrda")
        self.attention = nn.Sequential(
            embed, *convolution(embed.channels, width, 1, norm, nn.ReLU()), nn.Conv2d(width, classes, 1)
        )

    def forward(
        self, features: list[Tensor], details: list[Tensor] | None = None, windows: list[Corners] | None = None
    ) -> Tensor:
        """Logits `[B, K, 2 h, 2 w]` of both scales; of one pyramid alone the wrapped head's, `[B, K, h, w]`.

        Args:
            features: the pyramid of a crop, or of the image at half its resolution.
            details: logits `[B, K, h, w]` of crops, one crop of each image in each.
            windows: where these crops are in the images.

        Raises:
            ConfigError: the wrapped head's logits do not lie on a grid that crops fit.
        """
        context: Tensor = self.head(features)
        if details is None or windows is None:
            return context
        size = (int(context.shape[-2]), int(context.shape[-1]))
        image = (int(features[0].shape[-2]), int(features[0].shape[-1]))
        if any(self.detail_multiple * logits % pixels for logits, pixels in zip(size, image, strict=True)):
            raise ConfigError(
                f"head hrda: the wrapped head has {size[0]}x{size[1]} logits of {image[0]}x{image[1]} pixels, crops at "
                f"multiples of {self.detail_multiple} pixels do not fit them; wrap a head for segmentation"
            )
        placed, covered = context.new_zeros(()), context.new_zeros(())
        for logits, corners in zip(details, windows, strict=True):
            spaces = [_space(corner, size, image) for corner in corners]
            pairs = zip(logits, spaces, strict=True)
            placed = placed + torch.stack([functional.pad(each, space) for each, space in pairs])
            covered = covered + torch.stack([functional.pad(torch.ones_like(logits[0, :1]), space) for space in spaces])
        detail = placed / covered.clamp(min=1)
        attention = _resized(self.attention(features).sigmoid(), size)
        doubled = (2 * size[0], 2 * size[1])
        change = _resized(attention, doubled) * detail - _resized(attention * context, doubled)
        return _resized(context, doubled) + covered.clamp(max=1) * change


build = HrdaHead


def _space(corner: tuple[int, int], size: tuple[int, int], image: tuple[int, int]) -> tuple[int, int, int, int]:
    """The positions left, right, above and below a crop's logits among those of all of the image."""
    top, left = (place * logits // pixels for place, logits, pixels in zip(corner, size, image, strict=True))
    return left, size[1] - left, top, size[0] - top


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[-2:]) == size:
        return x
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)
