"""Semantic segmentation: one class for every pixel, trained by cross entropy, scored by the confusion matrix."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Domain, moved
from segda.errors import ConfigError
from segda.label_space import LabelSpace
from segda.losses.supervised import cross_entropy
from segda.metrics.confusion import Confusion
from segda.networks.networks import Networks

# The deepest encoders shrink by 32; an input of another size would be cut or fail in decoders with skip connections.
DIVISOR = 32

# Pixels from which on a prediction is made class by class. With fewer, or with fewer than 4 classes, PyTorch upsamples
# one channel in other arithmetic than many, and so to other last bits.
LARGE = 1 << 17


class Segmentation:
    """The segmentation task over one label space.

    Attributes:
        space: classes, palette and ignore index.
        class_weights: a factor for each class in the supervised loss, or `None`.
        offers: what it gives to terms that need it.
        measure: the score that a table shows for each class.
        prediction_rule: how `predict` comes to its answer, for the protocol of a score.
        evaluation_batch: how many images of one size are predicted at once.
    """

    offers = frozenset({"label_map"})
    measure = "IoU"
    prediction_rule = "whole image in one pass, logits upsampled bilinearly to the label's size, argmax"
    evaluation_batch = 1

    def __init__(self, space: LabelSpace, class_weights: list[float] | None = None) -> None:
        if class_weights is not None and (len(class_weights) != space.count or min(class_weights) < 0):
            raise ConfigError(
                f"task segmentation: class_weights has {len(class_weights)} values, the least {min(class_weights)}; "
                f"give {space.count} values of at least 0, one for each class of {space.name!r}"
                if class_weights
                else "task segmentation: class_weights is empty; leave it out or give one a class"
            )
        self.space = space
        self.class_weights = class_weights

    def supervised_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Cross entropy of the logits, upsampled bilinearly to the label's size.

        Args:
            logits: `[B, K, h, w]`, unbounded.
            label: int64 `[B, H, W]` of class indices, the ignore index where not trained.

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
        """The most likely class of every pixel.

        Args:
            networks: an encoder and a head.
            image: `[B, 3, H, W]` in `[-1, 1]`, of any height and width.
            size: height and width of the answer, usually the label's.
            domain: whose encoder sees the image, where the domains have one each.

        Returns:
            int64 `[B, *size]` of class indices.
        """
        logits, seen = _asked(networks, image, domain)
        logits = logits.detach()
        if logits.shape[1] < 4 or min(math.prod(seen), math.prod(size)) < LARGE:
            return _brought(logits, seen, image, size).argmax(dim=1)
        # Class by class: all logits at a label's size are 160 MB, and take many times as long to make and to search.
        best = _brought(logits[:, :1], seen, image, size).clone()
        answer = torch.zeros_like(best, dtype=torch.uint8)
        for index in range(1, logits.shape[1]):
            plane = _brought(logits[:, index : index + 1], seen, image, size)
            wins = (plane > best).view(torch.uint8)  # of equal ones the first wins, as in argmax
            torch.maximum(answer, wins * index, out=answer)  # the later index is the larger one
            torch.maximum(best, plane, out=best)
        return answer[:, 0].long()

    def probabilities(
        self, networks: Networks, image: Tensor, size: tuple[int, int], domain: Domain = "target"
    ) -> Tensor:
        """The probability of every class at every pixel, `[B, K, *size]`; arguments as in `predict`."""
        logits, seen = _asked(networks, image, domain)
        return _brought(logits, seen, image, size).softmax(dim=1)

    def meter(self) -> Confusion:
        """An empty confusion matrix over this task's classes."""
        return Confusion(self.space.classes, self.space.ignore_index)


def build(space: LabelSpace, class_weights: list[float] | None = None) -> Segmentation:
    """The segmentation task over `space`.

    Args:
        space: the label space to predict in.
        class_weights: a factor for each class in the supervised loss; without it all classes count alike.

    Raises:
        ConfigError: the number of weights is not the number of classes, or one is negative.
    """
    return Segmentation(space, class_weights)


def _asked(networks: Networks, image: Tensor, domain: Domain) -> tuple[Tensor, tuple[int, int]]:
    """Logits `[B, K, h, w]` of the whole image in one convolutional pass, and the size of what the networks saw."""
    padded = _padded(image)
    logits = networks.classify(networks.encode(padded, domain))
    return logits.contiguous(), (int(padded.shape[-2]), int(padded.shape[-1]))


def _brought(logits: Tensor, seen: tuple[int, int], image: Tensor, size: tuple[int, int]) -> Tensor:
    """The logits of some classes, `[B, k, h, w]`, at `size`, without what padding the image to `seen` added."""
    height, width = int(image.shape[-2]), int(image.shape[-1])
    if seen != (height, width):
        # The padding must be cut at the input's resolution, where its edge falls between pixels.
        logits = _upsampled(logits, seen)[..., :height, :width]
    return _upsampled(logits, size)


def _padded(image: Tensor) -> Tensor:
    """The image grown at its bottom and right to multiples of `DIVISOR`, by reflection where it is large enough."""
    height, width = int(image.shape[-2]), int(image.shape[-1])
    bottom, right = -height % DIVISOR, -width % DIVISOR
    if bottom == right == 0:
        return image
    mode = "reflect" if bottom < height and right < width else "replicate"
    return functional.pad(image, (0, right, 0, bottom), mode=mode)


def _upsampled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """The logits at `size`, bilinearly with pixel centres aligned; untouched if they have it already."""
    if tuple(logits.shape[-2:]) == size:
        return logits
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
