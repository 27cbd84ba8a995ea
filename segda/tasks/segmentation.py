"""Semantic segmentation, trained by cross entropy, scored by IoU."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Domain, moved
from segda.errors import ConfigError
from segda.label_space import LabelSpace
from segda.losses.supervised import cross_entropy
from segda.metrics.mean_iou import Confusion
from segda.networks.image_network import DIVISOR
from segda.networks.layers.resolution import reflected_to_multiple
from segda.networks.networks import Networks

# Number of pixels from which a prediction is computed class by class. With fewer, or with fewer than 4 classes, PyTorch
# upsamples one channel and many by different arithmetic, and the last bits differ.
LARGE = 1 << 17


class Segmentation:
    """The segmentation task over one label space.

    Attributes:
        space: classes, palette and ignore index.
        class_weights: a factor for each class in the supervised loss, or `None`.
        offers, measure, prediction_rule, evaluation_batch: see `segda.task.Task`.
    """

    offers = frozenset({"label_map"})
    measure = "IoU"
    prediction_rule = "whole image in one pass, logits upsampled bilinearly to the label's size, argmax"
    evaluation_batch = 1

    def __init__(self, space: LabelSpace, class_weights: list[float] | None = None) -> None:
        if class_weights is not None and (
            len(class_weights) != space.count or min(class_weights) < 0 or not any(class_weights)
        ):
            raise ConfigError(
                f"task segmentation: class_weights has {len(class_weights)} values, from {min(class_weights)} to "
                f"{max(class_weights)}; give {space.count} values of at least 0, one for each class of {space.name!r}, "
                "not all of them 0"
                if class_weights
                else "task segmentation: class_weights is empty; leave it out, or give one for each class"
            )
        self.space = space
        self.class_weights = class_weights

    def supervised_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross entropy of the logits, upsampled bilinearly to the label's size.

        Args:
            logits: `[B, K, h, w]`, unbounded.
            label: int64 `[B, H, W]` of class indices, or the ignore index.

        Returns:
            Scalar: the mean over images of each image's mean over its valid pixels.
        """
        weights = None
        if self.class_weights is not None:
            weights = moved(torch.tensor(self.class_weights), logits.device)
        size = (int(label.shape[-2]), int(label.shape[-1]))
        return cross_entropy(
            _upsampled(logits, size), label, class_weights=weights, ignore_index=self.space.ignore_index
        )

    def predict(self, networks: Networks, image: Tensor, size: tuple[int, int], domain: Domain = "target") -> Tensor:
        """The most likely class of every pixel of images `[B, 3, H, W]` in `[-1, 1]`, at a label's `size`, any size.

        Returns:
            int64 `[B, *size]` of class indices.
        """
        logits, padded = _logits(networks, image, domain)
        logits = logits.detach()
        if logits.shape[1] < 4 or min(math.prod(padded), math.prod(size)) < LARGE:
            return _resized(logits, padded, image, size).argmax(dim=1)
        # Class by class: all logits at a label's size take 160 MB, and many times as long to compute and to search.
        best = _resized(logits[:, :1], padded, image, size).clone()
        prediction = torch.zeros_like(best, dtype=torch.uint8)
        for index in range(1, logits.shape[1]):
            plane = _resized(logits[:, index : index + 1], padded, image, size)
            wins = (plane > best).view(torch.uint8)  # the first of equal ones wins, as in argmax
            torch.maximum(prediction, wins * index, out=prediction)  # the later index is the larger one
            torch.maximum(best, plane, out=best)
        return prediction[:, 0].long()

    def probabilities(
        self, networks: Networks, image: Tensor, size: tuple[int, int], domain: Domain = "target"
    ) -> Tensor:
        """The probability of every class at every pixel, `[B, K, *size]`; arguments as in `predict`."""
        logits, padded = _logits(networks, image, domain)
        return _resized(logits, padded, image, size).softmax(dim=1)

    def meter(self) -> Confusion:
        """An empty confusion matrix over this task's classes."""
        return Confusion(self.space.classes, self.space.ignore_index)


def build(space: LabelSpace, class_weights: list[float] | None = None) -> Segmentation:
    """The segmentation task over `space`.

    Args:
        space: the label space.
        class_weights: a factor for each class in the supervised loss; 1 without.

    Raises:
        ConfigError: the number of weights is not the number of classes, or one is negative.
    """
    return Segmentation(space, class_weights)


def _logits(networks: Networks, image: Tensor, domain: Domain) -> tuple[Tensor, tuple[int, int]]:
    """Logits `[B, K, h, w]` of the whole image in one convolutional pass, and the size of the padded image."""
    padded = _padded(image)
    logits = networks.classify(networks.encode(padded, domain))
    return logits.contiguous(), (int(padded.shape[-2]), int(padded.shape[-1]))


def _resized(logits: Tensor, padded: tuple[int, int], image: Tensor, size: tuple[int, int]) -> Tensor:
    """The logits of some classes, `[B, k, h, w]`, at `size`, without the padding of the image to `padded`."""
    height, width = int(image.shape[-2]), int(image.shape[-1])
    if padded != (height, width):
        # The padding is cut at the input's resolution, where its edge lies between pixels.
        logits = _upsampled(logits, padded)[..., :height, :width]
    return _upsampled(logits, size)


def _padded(image: Tensor) -> Tensor:
    """The image padded at bottom and right to multiples of `DIVISOR`, by reflection if it is large enough."""
    if image.shape[-2] % DIVISOR == image.shape[-1] % DIVISOR == 0:
        return image
    return reflected_to_multiple(image, DIVISOR)


def _upsampled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """The logits at `size`, by bilinear interpolation with aligned pixel centres; unchanged if they have that size."""
    if tuple(logits.shape[-2:]) == size:
        return logits
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
