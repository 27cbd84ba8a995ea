"""The encoder's map as a distribution: a mean and a log variance for every feature at every position.

Source: Kingma and Welling, Auto-Encoding Variational Bayes (arXiv:1312.6114), appendix C.2.
"""

import torch
from torch import Tensor, nn

# Standard deviations from 0.007 to 148: beyond, exp may overflow or leave no noise after a wild first step.
LOG_VARIANCE = (-10.0, 10.0)


class Posterior(nn.Module):
    """Two 1x1 convolutions on z, of `channels` feature maps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Conv2d(channels, channels, 1)
        self.log_variance = nn.Conv2d(channels, channels, 1)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of `[B, C, h, w]`, each of that shape; log variances lie in `[-10, 10]`."""
        return self.mean(z), torch.clamp(self.log_variance(z), *LOG_VARIANCE)
