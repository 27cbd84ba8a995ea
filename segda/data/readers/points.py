"""Points of the plane with two classes or more, for toy examples: each is an image of one pixel, (x, y, 0).

Layout: `<split>.npz` with `points`, float `[N, 2]` in [-1, 1], and `labels`, integers `[N]`, indices of the
label space.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.data.archive import open_archive, part
from segda.data.dataset import Dataset
from segda.data.image_labels import ImageLabelOptions
from segda.data.npz import ArrayLabels, load
from segda.errors import DataError
from segda.label_space import LabelSpace


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    file: str = "{split}.npz",
    points: str = "points",
    labels: str = "labels",
    **options: Unpack[ImageLabelOptions],
) -> Dataset:
    """Open one file of points; keys are `00000`, `00001`, …; images are float32 `[1, 1, 3]` in `[-1, 1]`.

    Args:
        root: folder of the file.
        space: the task's label space, such as `moons`.
        split: put for `{split}` in `file`.
        with_labels: read the labels; otherwise that array of the file is not opened.
        file: the file below `root`.
        points: name of the array of points.
        labels: name of the array of labels.
        options: those of every reader of whole-image labels.

    Raises:
        DataError: the file is missing or broken, points outside [-1, 1], counts that disagree, labels outside the
            label space or of one class.
        ConfigError: an impossible `subset` or `limit`.
    """
    names = [file.replace("{split}", split)]
    pixels = part(root, names, _Points(points))
    ids = part(root, names, ArrayLabels(labels)) if with_labels else None
    classes: dict[int, str | None] = dict(enumerate(space.classes))
    return open_archive("points", root, space, classes, pixels, ids, **options)


@dataclass(frozen=True)
class _Points:
    """Reads points `[N, 2]` as pictures of one pixel, float32 `[N, 1, 1, 3]`."""

    name: str

    def __call__(self, file: Path) -> np.ndarray:
        points = np.asarray(load(file, self.name), dtype=np.float32)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"{self.name!r} has the shape {points.shape}; expected (number, 2)")
        if not (np.abs(points) <= 1).all():
            raise DataError(f"{file}: points outside [-1, 1], or not finite; scale both domains by one factor")
        return np.concatenate([points, np.zeros_like(points[:, :1])], axis=1)[:, None, None]
