"""Boundary IoU of the classes, counted over a whole evaluation set."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from segda.errors import ArtefactError, ConfigError, DataError
from segda.metrics.pair_counts import VALUES, Labels, check_classes, mean_of_present, read_counts, to_bytes

WIDTH = 0.02
"""Width of a boundary as a share of the image's diagonal, as in the authors' code."""

_KINDS = ("labelled", "predicted", "met")


class Boundary:
    """Counts of pixels along the borders of the classes, over a whole set.

    The boundary of a class is the set of its pixels within `width` times the diagonal of a pixel of another class, or
    of the image's edge. The score of a class is the IoU of its boundaries in label and prediction, computed once, from
    the sums over all images. It responds to the accuracy of contours, which hardly changes the IoU of large regions.

    Pixels with an ignored label are not scored and are no border to any class.

    Source: Cheng et al., Boundary IoU, CVPR 2021, equation 2 and the authors' `mask_to_boundary`, which works on one
    object; here, the object is all pixels of a class.

    Attributes:
        classes: the names of the classes, in the order of their indices.
        ignore_index: the label value that is not scored.
        width: share of the diagonal.
        counts: int64 `[3, C]`: boundary pixels in the labels, in the predictions, and in both.
    """

    def __init__(self, classes: Sequence[str], ignore_index: int = 255, width: float = WIDTH) -> None:
        check_classes(len(classes), ignore_index, "boundary")
        if not 0 < width < 1:
            raise ConfigError(f"boundary: width {width}; expected a share of the image's diagonal between 0 and 1")
        self.classes = tuple(classes)
        self.ignore_index = ignore_index
        self.width = width
        self.counts = np.zeros((len(_KINDS), len(classes)), dtype=np.int64)

    def update(self, label: Labels, prediction: Labels, name: str = "label") -> None:
        """Count the boundaries of one image, `[H, W]`; arguments as in `Confusion.update`.

        Raises:
            DataError: the shapes differ or are not of one image, or a value is neither a class index nor the ignore
                index.
        """
        if tuple(label.shape) != tuple(prediction.shape) or len(label.shape) != 2:
            raise DataError(
                f"{name}: label is {tuple(label.shape)} and prediction {tuple(prediction.shape)}; expected "
                "label maps of one image, height by width"
            )
        shape = (int(label.shape[0]), int(label.shape[1]))
        truth, guess = to_bytes(label, name).reshape(shape), to_bytes(prediction, name).reshape(shape)
        ignored = truth == self.ignore_index
        for values in (truth, guess):
            outside = (values >= len(self.classes)) & (values != self.ignore_index) & ~ignored
            if outside.any():
                raise DataError(
                    f"{name}: value {values[outside][0]}; expected 0 to {len(self.classes) - 1}, or "
                    f"{self.ignore_index} where ignored; map native ids to the label space first"
                )
        distance = max(1, round(self.width * float(np.hypot(*shape))))
        borders = [_border(values, ignored, distance) & (values != self.ignore_index) for values in (truth, guess)]
        met = borders[0] & borders[1] & (truth == guess)
        for row, (values, chosen) in enumerate(((truth, borders[0]), (guess, borders[1]), (truth, met))):
            self.counts[row] += np.bincount(values[chosen], minlength=len(self.classes))

    def iou(self) -> np.ndarray:
        """IoU of each class's boundaries: float64 `[C]` in `[0, 1]`, NaN without any boundary."""
        labelled, predicted, met = self.counts
        union = labelled + predicted - met
        return np.divide(met, union, out=np.full(len(self.classes), np.nan), where=union != 0)

    def mean_iou(self) -> float:
        """Mean over the classes that have a boundary, in `[0, 1]`; NaN if none has."""
        return mean_of_present(self.iou())

    def to_tensor(self) -> Tensor:
        """The counts as int64 `[3 * C]`, for a sum over processes."""
        return torch.from_numpy(self.counts.ravel().copy())

    def from_tensor(self, values: Tensor) -> "Boundary":
        """A boundary over the same classes with the counts of `to_tensor`'s layout."""
        total = Boundary(self.classes, self.ignore_index, self.width)
        total.counts = values.cpu().numpy().astype(np.int64).reshape(self.counts.shape).copy()
        return total

    def to_json(self) -> dict[str, Any]:
        """Counts as integers; the inverse of `from_json`."""
        counts = {kind: row.tolist() for kind, row in zip(_KINDS, self.counts, strict=True)}
        return {"classes": list(self.classes), "ignore_index": self.ignore_index, "width": self.width, **counts}

    @staticmethod
    def from_json(content: dict[str, Any], name: str = "boundary") -> "Boundary":
        """The inverse of `to_json`.

        Raises:
            ArtefactError: a key is missing, or the counts are not integers.
        """
        try:
            boundary = Boundary(content["classes"], content["ignore_index"], content["width"])
            boundary.counts = read_counts([content[kind] for kind in _KINDS], boundary.counts.shape)
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise ArtefactError(f"{name}: no boundary counts ({error}); evaluate again") from error
        return boundary


def _border(values: np.ndarray, ignored: np.ndarray, distance: int) -> np.ndarray:
    """Pixels with another class or the image's edge within `distance` rows and columns: bool `[H, W]`.

    One pass for all classes: a pixel is inside a class where the least and the greatest class around it are equal.
    """
    classes = values.astype(np.int16)
    box = np.ones((2 * distance + 1, 2 * distance + 1), dtype=np.uint8)
    # Outside the image is a class below all others; it does not change the greatest, and ignored pixels change neither.
    classes[ignored] = VALUES
    least = cv2.erode(classes, box, borderType=cv2.BORDER_CONSTANT, borderValue=-1.0)
    classes[ignored] = -1
    greatest = cv2.dilate(classes, box, borderType=cv2.BORDER_CONSTANT, borderValue=-1.0)
    border: np.ndarray = np.not_equal(least, greatest) & ~ignored
    return border
