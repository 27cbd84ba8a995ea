"""FADA's discriminator: it tells domains and classes apart together, by one map for each class of each domain.

Source: Wang et al., Classes Matter (arXiv:2007.09222) and its code: 3x3 convolutions to 512 and 256 features, leaky
ReLU 0.2, then one 3x3 convolution for each domain's classes.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.option_checks import demand_at_least


class ClassFeatureDiscriminator(nn.Module):
    """Logits of all classes as source, then of all classes as target, at every position of a map."""

    def __init__(self, channels: int, classes: int, width: int = 512, slope: float = 0.2) -> None:
        """Build FADA's discriminator.

        Args:
            channels: of its input.
            classes: number of classes.
            width: feature maps of the first layer; the second has half as many.
            slope: of the leaky ReLU.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        demand_at_least("discriminator class_feature", 2, width=width)
        layers: list[nn.Module] = []
        for inside, outside in pairwise([channels, width, width // 2]):
            layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.LeakyReLU(slope)]
        self.layers = nn.Sequential(*layers)
        self.source = nn.Conv2d(width // 2, classes, 3, padding=1)
        self.target = nn.Conv2d(width // 2, classes, 3, padding=1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Logits `[B, 2 K, h, w]` of `[B, C, h, w]`, and as score the logarithm of the odds of any class as source."""
        features = self.layers(x)
        source, target = self.source(features), self.target(features)
        score = source.logsumexp(dim=1, keepdim=True) - target.logsumexp(dim=1, keepdim=True)
        return DiscriminatorOutput(score, torch.cat([source, target], dim=1))


build = ClassFeatureDiscriminator
