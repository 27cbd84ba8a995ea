"""Source crops drawn with target crops that look alike, so that a discriminator cannot tell domains by what they show.

Source: Richter, AlHaija and Koltun, Enhancing Photorealism Enhancement (arXiv:2105.04619), section 3.4: 15 crops of an
image, each with its nearest neighbours in the other domain by the features of a pretrained network. Theirs lie anywhere
and are drawn the more often the rarer their surroundings; ours lie on a grid, and all source images are drawn alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from segda.data.augmentation.crop import TrainTransform
from segda.data.order import Drawn, Order
from segda.seeds import derive_seed

GRID = (3, 5)
"""Rows and columns of the crops that are compared."""


def count(crop: tuple[int, int] | None) -> int:
    """The number of crops of every image: those of the grid, or one, the whole image, without `crop`."""
    return 1 if crop is None else GRID[0] * GRID[1]


def window(size: tuple[int, int], crop: tuple[int, int] | None, place: int) -> tuple[slice, slice]:
    """Rows and columns of crop number `place` of an image of `(height, width)`: all of a side that is not larger."""
    if crop is None:
        return slice(0, size[0]), slice(0, size[1])
    (top, height), (left, width) = (
        (round(number * max(size[axis] - crop[axis], 0) / (GRID[axis] - 1)), min(crop[axis], size[axis]))
        for axis, number in enumerate(divmod(place, GRID[1]))
    )
    return slice(top, top + height), slice(left, left + width)


def descriptors(features: np.ndarray, size: tuple[int, int], crop: tuple[int, int] | None) -> np.ndarray:
    """The mean feature of each crop as a unit vector: float32 `[P, C]`.

    Args:
        features: of an image, `[C, h, w]`.
        size: its `(height, width)`.
        crop: that of the crops.
    """
    means = []
    for place in range(count(crop)):
        cells = tuple(
            slice(seen.start * cells // side, -(-seen.stop * cells // side))
            for seen, cells, side in zip(window(size, crop, place), features.shape[1:], size, strict=True)
        )
        means.append(features[(slice(None), *cells)].mean(axis=(1, 2)))
    vectors = np.stack(means).astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def nearest(crops: np.ndarray, others: np.ndarray, neighbours: int) -> np.ndarray:
    """The indices of the nearest of `others`, `[M, C]`, to each of `crops`, `[N, C]`, unit vectors: int32 `[N, k]`.

    The nearest is first; `k` is `neighbours`, or `M` if that is less.
    """
    distance = -(crops @ others.T)
    few = np.argpartition(distance, min(neighbours, len(others)) - 1, axis=1)[:, :neighbours]
    order = np.argsort(np.take_along_axis(distance, few, axis=1), axis=1, kind="stable")
    return np.take_along_axis(few, order, axis=1).astype(np.int32)


@dataclass(frozen=True)
class Matches:
    """The order of target samples: at each position one with a crop like the source's there.

    Attributes:
        table: int32 `[N * P, k]`, of each crop of each of the N source samples its nearest crops of target samples;
            crop number `c` of sample `s` is `s * P + c`.
        order: of the source samples.
        crop: `(height, width)`; `None` for whole images.
        seed: of the stream.
    """

    table: np.ndarray
    order: Order
    crop: tuple[int, int] | None
    seed: int

    def __call__(self, position: int) -> Drawn:
        """The target sample that is drawn at a position."""
        return Drawn(self._target(position) // count(self.crop))

    def source_place(self, position: int) -> int:
        """Which crop of the source sample is drawn at a position."""
        return derive_seed(self.seed, "place", position) % count(self.crop)

    def target_place(self, position: int) -> int:
        """Which crop of the target sample is drawn at a position."""
        return self._target(position) % count(self.crop)

    def _target(self, position: int) -> int:
        near = self.table[self.order(position).sample * count(self.crop) + self.source_place(position)]
        return int(near[derive_seed(self.seed, "neighbour", position) % len(near)])


@dataclass(frozen=True)
class PlacedCrop:
    """A transform whose crop lies where `place` says: a pure function of `(seed, position)`.

    Attributes:
        transform: its resize and flip are kept; it neither scales nor turns.
        place: from a position to the number of the crop.
    """

    transform: TrainTransform
    place: Callable[[int], int]

    def __call__(
        self, image: np.ndarray, label: np.ndarray | None, position: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Transform one sample; arguments and errors as those of `TrainTransform`."""
        stored = image.shape[0], image.shape[1]
        rows, columns = window(self.transform.resize or stored, self.transform.crop, self.place(position))
        view = next(self.transform.views(stored, position))
        return self.transform.apply(replace(view, rows=rows, columns=columns), image, label)
