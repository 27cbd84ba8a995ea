"""A patch discriminator that segments its input, too: a trunk, an end that scores patches, one that classifies pixels.

Source: Ramirez et al., Exploiting Semantics in Adversarial Training for Image-Level Domain Adaptation
(arXiv:1810.05852). The paper's layer sizes are not published; trunk and scores are those of `patch70`.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.initialisation import initialise_normal
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.patches import LEAST_SIZE_70, patch_layer
from segda.networks.layers.resolution import demand_size


class SemanticPatchDiscriminator(nn.Module):
    """One score for each 70x70 patch, and class logits at a quarter of the resolution or all of it."""

    semantic = True  # asked for where a term needs class logits

    def __init__(
        self,
        channels: int,
        classes: int,
        width: int = 64,
        resolution: Literal["quarter", "full"] = "quarter",
        norm: Norm = "instance",
        slope: float = 0.2,
    ) -> None:
        """Build a 70x70 PatchGAN with a second, segmenting end.

        Args:
            channels: of its input.
            classes: number of classes.
            width: feature maps of the first layer; 2, 4 and 8 times as many in the next.
            resolution: of the class logits, against the input's.
            norm: normalisation after each layer but the first and last; `batch` does not go with a gradient penalty.
            slope: of the leaky ReLU.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        demand_at_least("discriminator semantic_patch", 1, width=width)
        self.trunk = nn.Sequential(
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(slope),
            *patch_layer(width, 2 * width, norm, slope),
            *patch_layer(2 * width, 4 * width, norm, slope),
        )
        self.judging = nn.Sequential(
            *patch_layer(4 * width, 8 * width, norm, slope, stride=1), nn.Conv2d(8 * width, 1, 4, padding=1)
        )
        # Each stage of the segmenting end doubles the size: strides 8 to 4, and on to 2 and 1.
        widths = [4 * width, 2 * width] if resolution == "quarter" else [4 * width, 2 * width, width, width]
        self.segmenting = nn.ModuleList(
            nn.Sequential(*convolution(inside, outside, 3, norm, nn.LeakyReLU(slope), padding=1))
            for inside, outside in pairwise(widths)
        )
        self.classifier = nn.Conv2d(widths[-1], classes, 3, padding=1)
        if norm != "none":
            initialise_normal(self)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Score and segment `[B, C, H, W]`.

        Returns:
            realness `[B, 1, H / 8 - 2, W / 8 - 2]`, semantic `[B, K, H / 4, W / 4]` or `[B, K, H, W]`.

        Raises:
            ConfigError: the input has fewer than 24 pixels on a side.
        """
        demand_size(x, LEAST_SIZE_70, "discriminator semantic_patch")
        trunk = self.trunk(x)
        semantic = trunk
        stride = 8
        for stage in self.segmenting:
            stride //= 2
            size = (int(x.shape[-2]) // stride, int(x.shape[-1]) // stride)
            semantic = stage(functional.interpolate(semantic, size=size, mode="bilinear", align_corners=False))
        return DiscriminatorOutput(self.judging(trunk), self.classifier(semantic))


build = SemanticPatchDiscriminator
