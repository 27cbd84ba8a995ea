"""VGG networks, built from a list of layers: what style transfer compares images by."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda import torchvision_compat
from segda.config.lookup import nearest
from segda.errors import ConfigError
from segda.networks.layers.imagenet_norm import ImagenetNorm
from segda.networks.pretrained import IMAGENET, downloading, is_file, load_pretrained

#: Convolutions of 3 x 3 in each block, by their number of maps; pooling halves the size between blocks.
BLOCKS: dict[int, tuple[tuple[int, ...], ...]] = {
    16: ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3),
    19: ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4),
}


class Vgg(nn.Module):
    """The convolutional part of a VGG network, which is not trained.

    Source: Simonyan and Zisserman, ICLR 2015, table 1 (D and E); parameters have torchvision's names.

    Attributes:
        deepest: name of the last of `layers`.
        smallest: the least height and width of an image that leave the deepest layer a pixel.
    """

    def __init__(
        self, blocks: tuple[tuple[int, ...], ...], layers: tuple[str, ...], pooling: Literal["max", "average"]
    ) -> None:
        """Build `blocks`; `forward` returns the features of `layers`: `conv3_1` is the third block's first convolution.

        Raises:
            ConfigError: no such layer.
        """
        super().__init__()
        self.pooling = pooling
        self.layers = frozenset(layers)
        #: Name of each convolution, by its index among all layers; `None` for rectifiers, "pool" for pooling.
        self.names: list[str | None] = []
        stacked: list[nn.Module] = []
        channels = 3
        for block, widths in enumerate(blocks, 1):
            for number, width in enumerate(widths, 1):
                stacked += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                self.names += [f"conv{block}_{number}", None]
                channels = width
            stacked.append(nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2))
            self.names.append("pool")
        valid = [name for name in self.names if name and name != "pool"]
        for layer in layers:
            if layer not in valid:
                raise ConfigError(f"VGG: no layer {layer!r}; {nearest(layer, valid)}")
        self.deepest = max(layers, key=valid.index)
        self.smallest = 2 ** self.names[: self.names.index(self.deepest)].count("pool")
        self.features = nn.Sequential(*stacked)
        self.imagenet_norm = ImagenetNorm()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Rectified features by layer: `[B, 3, H, W]` in `[-1, 1]` to `[B, C, h, w]` each."""
        x = self.imagenet_norm(image)
        features: dict[str, Tensor] = {}
        for name, layer in zip(self.names, self.features, strict=True):
            x = layer(x)
            if name in self.layers:
                features[str(name)] = functional.relu(x)
            if name == self.deepest:
                break
        return features


def build(
    depth: int,
    weights: str | None,
    *,
    layers: tuple[str, ...],
    pooling: Literal["max", "average"] = "max",
    seed: int = 0,
) -> Vgg:
    """A VGG network of depth 16 or 19 in evaluation mode, without gradients for its parameters.

    `weights` is a file with torchvision's names, `imagenet` for torchvision's own by download, or `None` for filters
    drawn from `seed`; torch's own random state is not touched.

    Raises:
        ConfigError: no such layer, or weights that are missing or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Vgg(BLOCKS[depth], layers, pooling)
        for layer in network.features:
            if isinstance(layer, nn.Conv2d) and weights is None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.constant_(layer.get_parameter("bias"), 0.0)
    if weights is not None and is_file(weights):
        load_pretrained(network, weights)
    elif weights == IMAGENET:
        network.load_state_dict(_downloaded(depth))
    return network.requires_grad_(False).eval()


def _downloaded(depth: int) -> dict[str, Tensor]:
    """The parameters that torchvision publishes, without those of the classifier."""
    with downloading(f"vgg{depth}", IMAGENET):
        torchvision_compat.import_ready()
        from torchvision.models import get_weight

        published = get_weight(f"VGG{depth}_Weights.IMAGENET1K_V1").get_state_dict(progress=False, check_hash=True)
    return {name: tensor for name, tensor in published.items() if name.startswith("features.")}
