"""Read samples as networks take them, and batch neighbours of one shape."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from segda.data.dataset import Dataset
from segda.data.loader import to_tensor
from segda.data.prefetch import in_order
from segda.data.resize import resize_image

T = TypeVar("T")


@dataclass(frozen=True)
class ReadSample:
    """A decoded sample.

    Attributes:
        index: in the data set.
        image: `[1, 3, H, W]`, resized; float32 in `[-1, 1]`, or as decoded.
        label: class indices at the label's own size; `None` where labels are not opened.
        size: height and width of the image before it was resized.
    """

    index: int
    image: Tensor
    label: np.ndarray | None
    size: tuple[int, int]


def read_samples(
    dataset: Dataset, indices: Iterable[int], resize: tuple[int, int] | None = None, *, windows: bool = False
) -> Iterator[ReadSample]:
    """The samples at `indices`, in order; while one is worked on, a thread decodes and resizes the next.

    `resize` is height and width of what the networks see; `None` keeps each image's own. Images of which networks see
    `windows` stay as decoded.
    """
    prepared = as_decoded if windows else as_input

    def read(index: int) -> ReadSample:
        pixels, label = dataset.read(index)
        label = None if label is None else np.array(label, order="C")
        return ReadSample(index, prepared(pixels, resize), label, (int(pixels.shape[0]), int(pixels.shape[1])))

    return in_order(read, indices, workers=1, ahead=1)


def batched(items: Iterable[T], shape: Callable[[T], Hashable], size: int) -> Iterator[list[T]]:
    """Items in order, up to `size` neighbours of one shape together."""
    for _, neighbours in groupby(items, shape):
        while batch := list(islice(neighbours, size)):
            yield batch


def as_input(image: np.ndarray, resize: tuple[int, int] | None = None) -> Tensor:
    """A decoded image, uint8 RGB `[H, W, 3]` or float32 in `[-1, 1]`, as networks take it: float32 `[1, 3, H, W]`.

    The result is in `[-1, 1]`, and of `resize` (height and width) unless that is `None`.
    """
    # The very functions of training: networks must be scored on what they were trained to see.
    return to_tensor(_resized(image, resize))[None]


def as_decoded(image: np.ndarray, resize: tuple[int, int] | None = None) -> Tensor:
    """As `as_input`, but uint8 stays uint8, and without `resize` the memory is that of `image`."""
    return torch.from_numpy(np.require(_resized(image, resize), requirements=["C", "W"])).permute(2, 0, 1)[None]


def _resized(image: np.ndarray, resize: tuple[int, int] | None) -> np.ndarray:
    return image if resize is None else resize_image(np.ascontiguousarray(image), (resize[0], resize[1]))
