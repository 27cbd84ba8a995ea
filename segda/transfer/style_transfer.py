"""Neural style transfer: optimise an image to have one image's content and another one's texture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from segda.data.resize import resize_image
from segda.errors import ConfigError
from segda.networks import vgg
from segda.networks.vgg import Vgg

CONTENT = ("conv4_2",)
STYLE = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
#: Not `null`, which in a YAML removes a key of the file it builds on.
DRAWN = "drawn"


@dataclass(frozen=True)
class StyleTransfer:
    """Optimisation of an image; see `build`."""

    device: torch.device
    network: Vgg
    content: tuple[str, ...]
    style: tuple[str, ...]
    content_weight: float
    style_weight: float
    steps: int
    optimizer: Literal["lbfgs", "adam"]
    learning_rate: float

    def __call__(self, image: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """The image, uint8 RGB `[H, W, 3]`, in the style of the reference, resized to its size: the scale of textures.

        The optimisation starts from the image, so that nothing is random.

        Raises:
            ConfigError: the image is too small for the deepest layer.
        """
        smallest = self.network.smallest
        if min(image.shape[:2]) < smallest:
            raise ConfigError(
                f"transfer style_transfer: an image of {image.shape[0]}x{image.shape[1]} (height x width) is too small "
                f"for layer {self.network.deepest}, which needs {smallest}; name earlier layers, or set a larger resize"
            )
        pixels = _to_tensor(image).to(self.device)
        with torch.no_grad():
            contents = self.network(pixels)
            resized = resize_image(reference, (image.shape[0], image.shape[1]))
            styles = self.network(_to_tensor(resized).to(self.device))
            grams = {layer: gram(styles[layer]) for layer in self.style}

        def loss(candidate: Tensor) -> Tensor:
            features = self.network(candidate)
            content = torch.stack([content_loss(features[layer], contents[layer]) for layer in self.content]).mean()
            style = torch.stack([style_loss(features[layer], grams[layer]) for layer in self.style]).mean()
            return self.content_weight * content + self.style_weight * style

        changed = minimised(loss, pixels, self.steps, self.optimizer, self.learning_rate)
        values = ((changed.clamp(-1, 1) + 1) * 127.5).round().byte()
        return values[0].permute(1, 2, 0).cpu().numpy()


def gram(features: Tensor) -> Tensor:
    """The Gram matrix of feature maps: `[B, C, H, W]` to `[B, C, C]`, `G_ij = sum over positions of F_i F_j`.

    Source: Gatys et al., CVPR 2016, equation 3.
    """
    flat = features.flatten(2)
    return flat @ flat.mT


def style_loss(features: Tensor, reference: Tensor) -> Tensor:
    """`E = sum_ij (G_ij - A_ij)^2 / (4 N^2 M^2)` with N maps of M positions; mean over images.

    `features` are `[B, N, H, W]`, `reference` is the `gram`, `[B, N, N]`, of maps of the same size.

    Source: Gatys et al., CVPR 2016, equation 4.
    """
    maps, positions = features.shape[1], features.shape[2] * features.shape[3]
    squares = (gram(features) - reference).square().sum((1, 2))
    return squares.mean() / (4 * maps**2 * positions**2)


def content_loss(features: Tensor, original: Tensor) -> Tensor:
    """Half the mean squared difference of two feature maps.

    A sum in Gatys et al. (equation 1), a mean in their released code and here, so that weights hold for any image size.
    """
    return functional.mse_loss(features, original) / 2


def minimised(
    loss: Callable[[Tensor], Tensor], start: Tensor, steps: int, optimizer: Literal["lbfgs", "adam"], rate: float
) -> Tensor:
    """The image after `steps` steps of the optimizer from `start`, `[1, 3, H, W]`, which is not changed."""
    candidate = start.clone().requires_grad_(True)

    def closure() -> Tensor:
        candidate.grad = None
        value = loss(candidate)
        value.backward()
        return value

    with torch.enable_grad():
        if optimizer == "lbfgs":
            search = torch.optim.LBFGS(
                [candidate], lr=rate, max_iter=steps, tolerance_grad=0, tolerance_change=0,
                line_search_fn="strong_wolfe",
            )  # fmt: skip
            search.step(closure)
        else:
            adam = torch.optim.Adam([candidate], lr=rate)
            for _ in range(steps):
                adam.step(closure)
    return candidate.detach()


def _to_tensor(image: np.ndarray) -> Tensor:
    """uint8 RGB `[H, W, 3]` to float32 `[1, 3, H, W]` in `[-1, 1]`."""
    return torch.from_numpy(image.transpose(2, 0, 1).copy()).float().div_(127.5).sub_(1)[None]


def build(
    device: torch.device,
    weights: str = "imagenet",
    depth: Literal[16, 19] = 19,
    pooling: Literal["max", "average"] = "average",
    content: tuple[str, ...] = CONTENT,
    style: tuple[str, ...] = STYLE,
    content_weight: float = 5.0,
    style_weight: float = 100.0,
    steps: int = 300,
    optimizer: Literal["lbfgs", "adam"] = "lbfgs",
    learning_rate: float = 1.0,
    seed: int = 0,
) -> StyleTransfer:
    """Neural style transfer on a VGG network.

    Args:
        device: where to compute.
        weights: a file with torchvision's names (`.safetensors`, or an imported `.pth`); `imagenet` downloads
            torchvision's; `drawn` draws the filters from `seed`, which still transfers textures (He, Wang and
            Hopcroft, 2016) but is not Gatys' method.
        depth: VGG-16 or VGG-19.
        pooling: average pooling looks better than the networks' max pooling (Gatys et al.).
        content: layers of the content loss; `conv4_2` is the second convolution of block 4, rectified.
        style: layers of the style loss, equally weighted.
        content_weight: of the content loss.
        style_weight: of the style loss.
        steps: iterations of L-BFGS, or steps of Adam, on one image.
        optimizer: L-BFGS as in the paper, or Adam, which needs less memory.
        learning_rate: first step of L-BFGS' line search (1 fits), or Adam's rate (0.02, say) in units of `[-1, 1]`.
        seed: of drawn filters; not used with weights.

    Raises:
        ConfigError: an unknown layer, no layer, a weight or number of steps out of range, or weights that do not fit.
    """
    if not content or not style:
        raise ConfigError("transfer style_transfer: content and style need at least one layer each, such as conv4_2")
    if min(content_weight, style_weight) < 0 or steps < 1 or learning_rate <= 0:
        raise ConfigError(
            f"transfer style_transfer: content_weight {content_weight}, style_weight {style_weight}, steps {steps}, "
            f"learning_rate {learning_rate}; expected weights of at least 0, at least 1 step and a rate above 0"
        )
    learned = None if weights == DRAWN else weights
    network = vgg.build(depth, learned, layers=(*content, *style), pooling=pooling, seed=seed).to(device)
    return StyleTransfer(device, network, content, style, content_weight, style_weight, steps, optimizer, learning_rate)
