"""A light head that merges the encoder's last map with its finer ones, for demonstrations on a CPU.

Source: the top-down path of Lin et al., Feature Pyramid Networks (arXiv:1612.03144), section 3.
"""

from torch import Tensor, nn
from torch.nn import functional

from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_at_least


class SmallHead(nn.Module):
    """Logits at the encoder's finest stride of 2 or more."""

    def __init__(
        self, channels: tuple[int, ...], strides: tuple[int, ...], classes: int, width: int, norm: Norm
    ) -> None:
        """Build the layers; see `build`."""
        super().__init__()
        # The last map of each stride, coarse to fine; smp's encoders give 0 channels where they lack a stage.
        last = {stride: level for level, stride in enumerate(strides) if stride >= 2 and channels[level]}
        self.levels = [last[stride] for stride in sorted(last, reverse=True)]
        self.laterals = nn.ModuleList(nn.Conv2d(channels[level], width, 1) for level in self.levels)
        self.merges = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, bias=has_bias(norm)), normalisation(norm, width), nn.ReLU()
            )
            for _ in self.levels
        )
        self.classifier = nn.Conv2d(width, classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, h, w]` from the pyramid, at the size of its finest map beside the image."""
        merged: Tensor | None = None
        for level, lateral, merge in zip(self.levels, self.laterals, self.merges, strict=True):
            own = lateral(features[level])
            if merged is not None:
                own = own + functional.interpolate(merged, size=own.shape[-2:], mode="bilinear", align_corners=False)
            merged = merge(own)
        logits: Tensor = self.classifier(merged)
        return logits


def build(
    channels: tuple[int, ...], strides: tuple[int, ...], classes: int, width: int = 32, norm: Norm = "batch"
) -> SmallHead:
    """A light feature pyramid.

    Args:
        channels: of the encoder's maps.
        strides: of the encoder's maps.
        classes: number of classes.
        width: feature maps at every level.
        norm: normalisation after each 3x3 convolution.

    Raises:
        ConfigError: an option is out of range.
    """
    demand_at_least("head small", 1, width=width)
    return SmallHead(channels, strides, classes, width, norm)
