"""The layers that take the grid out of dilated features."""

from torch import nn


def degrid(channels: int) -> nn.Sequential:
    """A 3x3 convolution of dilation 2, then one of dilation 1, each with batch normalisation and ReLU.

    A dilated convolution spreads a single strong value over a grid; convolutions of falling dilation without
    shortcuts fill the holes.

    Source: Yu et al., Dilated Residual Networks (arXiv:1705.09914), section 4; I2I paper (arXiv:1712.00479), 5.3.
    """
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=2, dilation=2, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )
