"""DAFormer's head: all levels of the encoder side by side, fused by convolutions of several dilations.

Source: Hoyer et al., DAFormer (arXiv:2111.14887), section 3.2 and its code: 256 maps for each level, dilations 1, 6, 12
and 18, all but the first depthwise separable, no pooled branch.
"""

import torch
from torch import Tensor, nn

from segda.networks.layers.embedded_levels import EmbeddedLevels
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least, demand_probability

DILATIONS = (1, 6, 12, 18)


class DaformerHead(nn.Module):
    """Logits at the encoder's finest stride of 4 or more."""

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        classes: int,
        width: int = 256,
        norm: Norm = "batch",
        dropout: float = 0.1,
    ) -> None:
        """Build the embeddings, the dilated convolutions and the classifier.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            classes: number of classes.
            width: feature maps of each level, of each dilation, and before the classifier.
            norm: normalisation after each convolution but the embeddings.
            dropout: probability that a whole feature map before the classifier is dropped in training.

        Raises:
            ConfigError: the encoder has no map of stride 4 or more, or an option is out of range.
        """
        super().__init__()
        demand_at_least("head daformer", 1, width=width)
        demand_probability("head daformer", "dropout", dropout)
        self.embed = EmbeddedLevels(channels, strides, width, "head daformer")
        self.branches = nn.ModuleList(_branch(self.embed.channels, width, each, norm) for each in DILATIONS)
        fused = convolution(width * len(DILATIONS), width, 3, norm, nn.ReLU(), padding=1)
        self.fuse = nn.Sequential(*fused, nn.Dropout2d(dropout))
        self.classifier = nn.Conv2d(width, classes, 1)
        nn.init.normal_(self.classifier.weight, 0.0, 0.01)
        nn.init.zeros_(self.classifier.get_parameter("bias"))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, h, w]` from the pyramid, at the size of its finest map of stride 4 or more."""
        embedded = self.embed(features)
        logits: Tensor = self.classifier(self.fuse(torch.cat([branch(embedded) for branch in self.branches], dim=1)))
        return logits


build = DaformerHead


def _branch(inside: int, outside: int, dilation: int, norm: Norm) -> nn.Sequential:
    """A 1x1 convolution where nothing is dilated, else a 3x3 one of each map alone and a 1x1 one over all."""
    pointwise = convolution(inside, outside, 1, norm, nn.ReLU())
    if dilation == 1:
        return nn.Sequential(*pointwise)
    options = {"padding": dilation, "dilation": dilation, "groups": inside}
    return nn.Sequential(*convolution(inside, inside, 3, norm, nn.ReLU(), **options), *pointwise)
