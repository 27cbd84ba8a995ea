"""Finished networks as one plain module, from RGB images as others keep them to logits or translated images."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.batch import Domain
from segda.networks.layers.resolution import reflected_to_multiple
from segda.networks.networks import Networks

# The largest output stride of the encoders; other sizes would be cut, or fail in decoders with skip connections.
DIVISOR = 32


class _RgbNetwork(nn.Module):
    """Holds an encoder and what follows it, and takes RGB images as others keep them."""

    middle: Tensor

    def __init__(self, networks: Networks, follows: str, uint8: bool, domain: Domain) -> None:
        super().__init__()
        self.encoder = networks.modules[f"encoder.{domain}" if networks.tied is False else "encoder"]
        self.add_module(follows, networks.modules[follows])
        self.networks, self.uint8, self.domain = networks, uint8, domain
        # A tensor, since a GPU multiplies by the inverse of a Python number, which rounds differently.
        self.register_buffer("middle", torch.tensor(127.5), persistent=False)
        self.eval()

    def _in_range(self, image: Tensor) -> Tensor:
        """The image as segda's encoders take it, in `[-1, 1]`, and in the precision of the network."""
        seen = image.float() / self.middle - 1 if self.uint8 else image * 2 - 1
        return seen.to(self.middle.dtype)


class ImageNetwork(_RgbNetwork):
    """An encoder and a head: RGB images `[B, 3, H, W]` to class logits, of any batch, height and width.

    Images are float32 in `[0, 1]`, or uint8; they are normalised inside. Logits are float32, after `half()`, too. Their
    `argmax(dim=1)` is what `segda predict` gives for an image of the size that the networks see (`Predictor.resize` of
    larger ones).

    Attributes:
        uint8: whether images are uint8, 0 to 255, and not floats.
        encoder, head: the very modules of `networks`.
    """

    def __init__(self, networks: Networks, *, pixelwise: bool, uint8: bool = False, domain: Domain = "target") -> None:
        """Take the encoder of `domain` and the head of `networks`, and put them in evaluation mode.

        Args:
            networks: with an encoder and a head, not wrapped for several processes.
            pixelwise: whether the task has a class for every pixel (segmentation) or one an image (classification).
            uint8: take uint8 images.
            domain: whose encoder sees the image, where the domains have one each.
        """
        super().__init__(networks, "head", uint8, domain)
        self.pixelwise = pixelwise

    def forward(self, image: Tensor) -> Tensor:
        """Logits of RGB images `[B, 3, H, W]`: `[B, K, H, W]` where a class belongs to a pixel, else `[B, K]`.

        The image is padded to multiples of 32 at bottom and right, as `segda.tasks.segmentation` does.

        Raises:
            ConfigError: the networks are built for images of another size.
        """
        seen = self._in_range(image)
        if not self.pixelwise:
            return self._logits(seen).mean(dim=(-2, -1))
        padded = reflected_to_multiple(seen, DIVISOR)
        logits = self._logits(padded).contiguous()
        whole = functional.interpolate(logits, size=padded.shape[-2:], mode="bilinear", align_corners=False)
        return _cut(whole, image)

    def _logits(self, seen: Tensor) -> Tensor:
        return self.networks.classify(self.networks.encode(seen, self.domain)).float()


class TranslatorNetwork(_RgbNetwork):
    """An encoder and a decoder: RGB images `[B, 3, H, W]` of one domain to such images in the look of another.

    Images in and out are float32 in `[0, 1]`, or uint8.

    Attributes:
        uint8: whether images are uint8, 0 to 255, and not floats.
        encoder, decoder: the very modules of `networks`.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        uint8: bool = False,
        domain: Domain = "source",
        to: Domain = "target",
        padded: bool = True,
    ) -> None:
        """Take the encoder of `domain` and the decoder of `networks`, and put them in evaluation mode.

        Args:
            networks: with an encoder and a decoder that can decode to `to`.
            uint8: take and give uint8 images.
            domain: of the images that are given.
            to: the domain whose look they get.
            padded: whether images are padded to multiples of 32; false for networks of small images of one size.
        """
        super().__init__(networks, "decoder", uint8, domain)
        self.to_domain: Any = to
        self.padded = padded

    def forward(self, image: Tensor) -> Tensor:
        """Translated RGB images of the size and type of `image`, `[B, 3, H, W]`.

        Raises:
            ConfigError: the networks are built for images of another size.
        """
        seen = self._in_range(image)
        if self.padded:
            seen = reflected_to_multiple(seen, DIVISOR, edge=True)
        decoded = self.networks.decode(self.networks.encode(seen, self.domain), self.to_domain).float()
        cut = _cut(decoded, image).clamp(-1, 1) + 1
        return (cut * self.middle).round().to(torch.uint8) if self.uint8 else cut / 2


def _cut(x: Tensor, image: Tensor) -> Tensor:
    """The first rows and columns of `[B, C, H, W]`, as many as the image has."""
    # Not a slice: whether that is contiguous depends on the size, which ties an exported network to padded images.
    return functional.pad(x, (0, image.shape[-1] - x.shape[-1], 0, image.shape[-2] - x.shape[-2]))
