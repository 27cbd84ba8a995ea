"""DenseNet with output stride 8: no pooling after the second block, blocks 3 and 4 dilated, then degridding layers.

Neither timm nor smp dilates a DenseNet. Pooling has no parameters and dilation changes no weight's shape, so ImageNet
weights load as they are.

Source: Huang et al., DenseNet (arXiv:1608.06993); I2I paper (arXiv:1712.00479), section 5.3.
"""

import re
from typing import Any, Literal

from torch import Tensor, nn

from segda.networks.pretrained_encoder import DilatedEncoder, timm_model

# torchvision's published file still says denselayer1.norm.1 where its code says denselayer1.norm1.
_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


class DilatedDenseNet(DilatedEncoder):
    """Pyramid of the image, the stem (stride 2) and the four dense blocks (strides 4, 8, 8, 8)."""

    densenet: Any

    def __init__(
        self,
        depth: Literal[121, 161, 169, 201] = 121,
        weights: str | None = None,
        degrid: bool = True,
        freeze_batchnorm: bool = False,
        checkpointing: bool = False,
    ) -> None:
        """Build a DenseNet with output stride 8.

        Args:
            depth: number of layers of the DenseNet.
            weights: path of a timm or torchvision DenseNet's weights, or `imagenet` to download timm's; none: random.
            degrid: append the dilation-2 and dilation-1 convolutions, randomly initialised.
            freeze_batchnorm: keep the DenseNet's running statistics as they are in the weights.
            checkpointing: compute the dense layers' bottlenecks a second time in backward, for much less memory;
                running statistics then move twice a pass. `runtime.recompute` covers all of a stage and moves them
                once.

        Raises:
            ConfigError: the weights file is missing or does not fit.
        """
        densenet = timm_model(
            f"densenet{depth}", weights, lambda name: _OLD_NAME.sub(r"\1\2", name), memory_efficient=checkpointing
        )
        super().__init__("densenet", densenet, degrid, freeze_batchnorm)
        _dilate(densenet.features)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up."""
        layers = self.densenet.features
        features = [image, layers.norm0(layers.conv0(self.imagenet_norm(image)))]  # timm's norms end in a ReLU
        features.append(layers.denseblock1(layers.pool0(features[-1])))
        features.append(layers.denseblock2(layers.transition1(features[-1])))
        features.append(layers.denseblock3(layers.transition2(features[-1])))
        last = layers.denseblock4(layers.transition3(features[-1]))
        features.append(self.degrid(layers.norm5(last)))
        return features


build = DilatedDenseNet


def _dilate(layers: Any) -> None:
    """Give timm's dense blocks an output stride of 8."""
    # An odd size is rounded up as the convolutions do; even sizes are pooled as ever.
    layers.transition1.pool = nn.AvgPool2d(2, 2, ceil_mode=True)
    layers.transition2.pool = nn.Identity()
    layers.transition3.pool = nn.Identity()
    for block, dilation in ((layers.denseblock3, 2), (layers.denseblock4, 4)):
        for layer in block.values():
            layer.conv2.dilation = (dilation, dilation)
            layer.conv2.padding = (dilation, dilation)
