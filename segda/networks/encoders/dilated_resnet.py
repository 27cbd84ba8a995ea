"""ResNet with output stride 8: the last two blocks dilated instead of strided, then degridding layers.

Source: Yu et al., Dilated Residual Networks (arXiv:1705.09914); I2I paper (arXiv:1712.00479), section 5.3.
"""

from typing import Any, Literal

from torch import Tensor, nn

from segda import torchvision_compat
from segda.networks.layers.degrid import degrid as degrid_layers
from segda.networks.layers.imagenet_norm import ImagenetNorm
from segda.networks.layers.normalisation import freeze_running_statistics
from segda.networks.pretrained import IMAGENET, downloading, is_file, load_pretrained


class DilatedResNet(nn.Module):
    """Pyramid of the image, the stem (stride 2) and the four blocks (strides 4, 8, 8, 8)."""

    strides = (1, 2, 4, 8, 8, 8)

    def __init__(self, resnet: Any, degrid: bool, freeze_batchnorm: bool) -> None:
        """Wrap timm's dilated ResNet; see `build`."""
        super().__init__()
        blocks = [int(info["num_chs"]) for info in resnet.feature_info]
        self.channels: tuple[int, ...] = (3, *blocks)
        self.freeze_batchnorm = freeze_batchnorm
        self.imagenet_norm = ImagenetNorm()
        self.resnet = resnet
        self.degrid: nn.Module = degrid_layers(blocks[-1]) if degrid else nn.Identity()

    def train(self, mode: bool = True) -> "DilatedResNet":
        """As any module's; the pretrained part keeps its running statistics where that was asked for."""
        super().train(mode)
        if self.freeze_batchnorm:
            freeze_running_statistics(self.resnet)
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up."""
        resnet = self.resnet
        features = [image, resnet.act1(resnet.bn1(resnet.conv1(self.imagenet_norm(image))))]
        features.append(resnet.layer1(resnet.maxpool(features[-1])))
        features.append(resnet.layer2(features[-1]))
        features.append(resnet.layer3(features[-1]))
        features.append(self.degrid(resnet.layer4(features[-1])))
        return features


def build(
    depth: Literal[18, 34, 50] = 34,
    weights: str | None = None,
    degrid: bool = True,
    freeze_batchnorm: bool = False,
) -> DilatedResNet:
    """A dilated ResNet with output stride 8.

    Args:
        depth: number of layers of the ResNet.
        weights: path of a timm or torchvision ResNet's weights, or `imagenet` to download timm's; none: random.
        degrid: append the dilation-2 and dilation-1 convolutions, randomly initialised.
        freeze_batchnorm: keep the ResNet's running statistics as they are in the weights.

    Raises:
        ConfigError: the weights file is missing or does not fit.
    """
    torchvision_compat.import_ready()
    import timm

    with downloading(f"resnet{depth}", weights):
        resnet = timm.create_model(f"resnet{depth}", pretrained=weights == IMAGENET, num_classes=0, output_stride=8)
    if weights is not None and is_file(weights):
        load_pretrained(resnet, weights)
    return DilatedResNet(resnet, degrid, freeze_batchnorm)
