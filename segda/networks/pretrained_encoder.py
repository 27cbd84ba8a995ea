"""What the encoders around a pretrained network share."""

from collections.abc import Callable
from typing import Any

from torch import nn
from typing_extensions import Self

from segda import torchvision_compat
from segda.networks.layers.degrid import degrid as degrid_layers
from segda.networks.layers.imagenet_norm import MEAN, STD, ImagenetNorm
from segda.networks.layers.normalisation import freeze_running_statistics
from segda.networks.pretrained import IMAGENET, downloading, is_file, load_pretrained


class PretrainedEncoder(nn.Module):
    """An encoder that normalises images as in its network's training, and can freeze its running statistics.

    `part` is the attribute that holds the network of timm or smp, and with it the names of its tensors.
    """

    def __init__(self, part: str, network: Any, norm: ImagenetNorm, freeze_batchnorm: bool) -> None:
        super().__init__()
        self.freeze_batchnorm = freeze_batchnorm
        self.imagenet_norm = norm
        self._part = part
        self.add_module(part, network)

    def train(self, mode: bool = True) -> Self:
        """As any module's; frozen running statistics stay in evaluation mode."""
        super().train(mode)
        if self.freeze_batchnorm:
            freeze_running_statistics(self.get_submodule(self._part))
        return self


class DilatedEncoder(PretrainedEncoder):
    """Pyramid of the image, the stem (stride 2) and four dilated blocks (strides 4, 8, 8, 8), degridded at the end.

    `network` is timm's, with five entries in `feature_info`: the stem and the blocks.
    """

    strides = (1, 2, 4, 8, 8, 8)

    def __init__(self, part: str, network: Any, degrid: bool, freeze_batchnorm: bool) -> None:
        super().__init__(part, network, ImagenetNorm(), freeze_batchnorm)
        blocks = [int(info["num_chs"]) for info in network.feature_info]
        self.channels: tuple[int, ...] = (3, *blocks)
        self.degrid: nn.Module = degrid_layers(blocks[-1]) if degrid else nn.Identity()


def image_statistics(name: str) -> ImagenetNorm:
    """The normalisation of images, by their mean and deviation, in the training of timm's weights of a model.

    `name` is timm's; of weights that it does not know, ImageNet's.
    """
    torchvision_compat.import_ready("timm")
    import timm

    settings = timm.get_pretrained_cfg(name)
    return ImagenetNorm(getattr(settings, "mean", MEAN), getattr(settings, "std", STD))


def timm_model(name: str, weights: str | None, rename: Callable[[str], str] | None = None, **options: Any) -> Any:
    """One of timm's models without its classifier; `options` are further arguments of `timm.create_model`.

    `weights` is a file, whose tensors `rename` renames, `imagenet` to download timm's, or `None` for random ones.

    Raises:
        ConfigError: the weights file is missing or does not fit, or the download failed.
    """
    torchvision_compat.import_ready("timm")
    import timm

    with downloading(name, weights):
        network = timm.create_model(name, pretrained=weights == IMAGENET, num_classes=0, **options)
    if weights is not None and is_file(weights):
        load_pretrained(network, weights, rename)
    return network
