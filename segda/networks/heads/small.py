"""A light head that merges the encoder's last map with its finer ones, for demonstrations on a CPU.

Source: the top-down path of Lin et al., Feature Pyramid Networks (arXiv:1612.03144), section 3.
"""

from torch import Tensor, nn
from torch.nn import functional

from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.resolution import last_levels


class SmallHead(nn.Module):
    """Logits at the encoder's finest stride of 2 or more."""

    def __init__(
        self, channels: tuple[int, ...], strides: tuple[int, ...], classes: int, width: int = 32, norm: Norm = "batch"
    ) -> None:
        """Build a light feature pyramid.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            classes: number of classes.
            width: feature maps at every level.
            norm: normalisation after each 3x3 convolution.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        demand_at_least("head small", 1, width=width)
        last = last_levels(channels, strides)
        self.levels = [last[stride] for stride in sorted(last, reverse=True)]
        self.laterals = nn.ModuleList(nn.Conv2d(channels[level], width, 1) for level in self.levels)
        self.merges = nn.ModuleList(
            nn.Sequential(*convolution(width, width, 3, norm, nn.ReLU(), padding=1)) for _ in self.levels
        )
        self.classifier = nn.Conv2d(width, classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, h, w]` from the pyramid, at the size of its finest map after the image."""
        merged: Tensor | None = None
        for level, lateral, merge in zip(self.levels, self.laterals, self.merges, strict=True):
            x = lateral(features[level])
            if merged is not None:
                x = x + functional.interpolate(merged, size=x.shape[-2:], mode="bilinear", align_corners=False)
            merged = merge(x)
        logits: Tensor = self.classifier(merged)
        return logits


build = SmallHead
