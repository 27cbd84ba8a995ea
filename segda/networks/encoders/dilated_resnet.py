"""ResNet with output stride 8: the last two blocks dilated instead of strided, then degridding layers.

Source: Yu et al., Dilated Residual Networks (arXiv:1705.09914); I2I paper (arXiv:1712.00479), section 5.3.
"""

from typing import Any, Literal

from torch import Tensor

from segda.networks.pretrained_encoder import DilatedEncoder, timm_model


class DilatedResNet(DilatedEncoder):
    """Pyramid of the image, the stem (stride 2) and the four blocks (strides 4, 8, 8, 8)."""

    resnet: Any

    def __init__(
        self,
        depth: Literal[18, 34, 50] = 34,
        weights: str | None = None,
        degrid: bool = True,
        freeze_batchnorm: bool = False,
    ) -> None:
        """Build a ResNet with output stride 8.

        Args:
            depth: number of layers of the ResNet.
            weights: path of a timm or torchvision ResNet's weights, or `imagenet` to download timm's; none: random.
            degrid: append the dilation-2 and dilation-1 convolutions, randomly initialised.
            freeze_batchnorm: keep the ResNet's running statistics as they are in the weights.

        Raises:
            ConfigError: the weights file is missing or does not fit.
        """
        resnet = timm_model(f"resnet{depth}", weights, output_stride=8)
        super().__init__("resnet", resnet, degrid, freeze_batchnorm)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up."""
        resnet = self.resnet
        features = [image, resnet.act1(resnet.bn1(resnet.conv1(self.imagenet_norm(image))))]
        features.append(resnet.layer1(resnet.maxpool(features[-1])))
        features.append(resnet.layer2(features[-1]))
        features.append(resnet.layer3(features[-1]))
        features.append(self.degrid(resnet.layer4(features[-1])))
        return features


build = DilatedResNet
