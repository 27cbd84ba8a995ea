"""Normalisation layers by name, and the convolutions before them.

Batch normalisation uses the samples of one process; see `runtime.gather_statistics` for those of all processes.
"""

import math
from typing import Any, Literal

from torch import Tensor, nn

from segda.errors import ConfigError

Norm = Literal["batch", "instance", "group", "layer", "none"]

GROUPS = 8


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose error for a single value per channel names the remedy."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise each channel of `[B, C, H, W]` over samples and positions.

        Raises:
            ConfigError: in training, a single sample of a single pixel.
        """
        if self.training and input.shape[0] * input.shape[-2] * input.shape[-1] == 1:
            raise ConfigError(
                "norm: batch normalisation cannot train on one sample of one pixel; use 2 or more samples a process, "
                "or norm: layer"
            )
        return super().forward(input)


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation without learned scale and shift; a map of a single pixel passes as it is.

    Normalising one value by itself leaves nothing, and torch refuses it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel of each sample of `[B, C, H, W]`."""
        if x.shape[-2] * x.shape[-1] == 1:
            return x
        return super().forward(x)


def normalisation(norm: Norm, channels: int) -> nn.Module:
    """The normalisation layer for `channels` feature maps.

    That is `batch`; `instance` (not affine); `group` (at most eight groups, affine); `layer` (all of a sample's
    features and positions as one, affine); or `none`.

    Raises:
        ConfigError: no such normalisation.
    """
    if norm == "batch":
        return BatchNorm(channels)
    if norm == "instance":
        return InstanceNorm(channels)
    if norm == "group":
        return nn.GroupNorm(math.gcd(GROUPS, channels), channels)
    if norm == "layer":
        return nn.GroupNorm(1, channels)
    if norm == "none":
        return nn.Identity()
    raise ConfigError(f"norm: unknown normalisation {norm!r}; valid: batch, instance, group, layer, none")


def has_bias(norm: Norm) -> bool:
    """Whether a convolution before the normalisation needs a bias: the others take every shift away again."""
    return norm == "none"


def convolution(
    inside: int, outside: int, kernel: int, norm: Norm, activation: nn.Module, **options: Any
) -> list[nn.Module]:
    """A convolution, its normalisation and its activation; `options` are further arguments of `nn.Conv2d`."""
    layer = nn.Conv2d(inside, outside, kernel, bias=has_bias(norm), **options)
    return [layer, normalisation(norm, outside), activation]


def freeze_running_statistics(module: nn.Module) -> None:
    """Put every batch normalisation inside `module` in evaluation mode; scale and shift still learn."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
