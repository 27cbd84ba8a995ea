"""The confusion matrix of a whole evaluation set, and the scores that follow from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segda.errors import ArtefactError, ConfigError, DataError
from segda.metrics.pair_counts import Labels, check_classes, count_pairs, mean_of_present, read_counts


class Confusion:
    """Pixel counts of a whole set: `counts[label, prediction]`, int64 `[C, C]`.

    Counts add up exactly, whatever the order of the images and however they are split over processes. Scores are
    computed once, from the sum, and never averaged over images. Pixels whose label is the ignore index are counted in
    `ignored` only.

    A class is *absent* when its union is zero: no scored pixel is labelled or predicted as it. Its IoU is NaN and not
    part of the mean. The IoU of a class that is predicted but never labelled is 0 and part of the mean. A prediction of
    the ignore index is an error for the labelled class, and of no other class.

    Source: `getIouScoreForLabel` and `getScoreAverage` of cityscapesScripts' pixel-level evaluation.

    Attributes:
        classes: the names of the classes, in the order of their indices.
        ignore_index: the label value that is not scored.
        counts: int64 `[C, C]`, rows are labels and columns predictions.
        rejected: int64 `[C]`, the scored pixels of each class whose prediction is the ignore index.
        ignored: the number of pixels whose label is the ignore index.
    """

    def __init__(self, classes: Sequence[str], ignore_index: int = 255) -> None:
        check_classes(len(classes), ignore_index, "confusion matrix")
        self.classes = tuple(classes)
        self.ignore_index = ignore_index
        self.counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
        self.rejected = np.zeros(len(classes), dtype=np.int64)
        self.ignored = 0

    def update(self, label: Labels, prediction: Labels, name: str = "label") -> None:
        """Count the pixels of one image or batch.

        Args:
            label: class indices, the ignore index where not scored; any shape.
            prediction: class indices of the same shape, the ignore index for no class; any 8-bit value where the label
                is ignored.
            name: of the label, for messages, such as its path.

        Raises:
            DataError: the shapes differ, or a value is neither a class index nor the ignore index.
        """
        if tuple(label.shape) != tuple(prediction.shape):
            raise DataError(
                f"{name}: label is {tuple(label.shape)} but prediction is {tuple(prediction.shape)}; "
                "predict at the label's own size"
            )
        pairs = count_pairs(label, prediction, name)
        classes = len(self.classes)
        labelled = pairs.sum(axis=1)
        labelled[self.ignore_index] = 0
        if labelled[classes:].any():
            wrong = classes + int(labelled[classes:].argmax())
            raise DataError(
                f"{name}: label value {wrong} at {labelled[wrong]} pixels; expected 0 to {classes - 1}, or "
                f"{self.ignore_index} where ignored; map native ids to the label space first"
            )
        rejected = pairs[:classes, self.ignore_index].copy()
        pairs[:classes, self.ignore_index] = 0
        if pairs[:classes, classes:].any():
            wrong = classes + int(pairs[:classes, classes:].sum(axis=0).argmax())
            raise DataError(
                f"{name}: predicted class {wrong}; expected 0 to {classes - 1}; "
                "the network was built for another label space"
            )
        self.counts += pairs[:classes, :classes]
        self.rejected += rejected
        self.ignored += int(pairs[self.ignore_index].sum())

    def __add__(self, other: "Confusion") -> "Confusion":
        """The counts of both sets together."""
        if (self.classes, self.ignore_index) != (other.classes, other.ignore_index):
            raise ConfigError(
                f"confusion matrices of {len(self.classes)} and {len(other.classes)} classes or of different class "
                "names do not add up; score both in one label space"
            )
        return self.from_tensor(self.to_tensor() + other.to_tensor())

    @property
    def pixels(self) -> int:
        """Number of scored pixels."""
        return int(self._labelled().sum())

    def iou(self) -> np.ndarray:
        """Intersection over union of each class: float64 `[C]` in `[0, 1]`, NaN for absent classes."""
        intersection = np.diagonal(self.counts)
        union = self._labelled() + self.counts.sum(axis=0) - intersection
        return _ratio(intersection, union)

    def absent(self) -> tuple[str, ...]:
        """The names of the classes that are neither labelled nor predicted anywhere: those whose IoU is NaN."""
        return tuple(name for name, value in zip(self.classes, self.iou(), strict=True) if np.isnan(value))

    def mean_iou(self, names: Sequence[str] | None = None) -> float:
        """Mean IoU over the classes that are not absent, in `[0, 1]`; NaN if all are.

        Args:
            names: average over these classes only, as in the 16- and 13-class scores of SYNTHIA. The IoU of each is
                that among all classes: pixels predicted as a class outside the subset are errors.

        Raises:
            ConfigError: a name is not a class, or occurs twice.
        """
        values = self.iou()
        if names is not None:
            unknown = [name for name in names if name not in self.classes]
            if unknown or len(set(names)) != len(names):
                raise ConfigError(
                    f"class subset: {unknown[0]!r} is not among {', '.join(self.classes)}"
                    if unknown
                    else "class subset: a class occurs twice; name each once"
                )
            values = values[[self.classes.index(name) for name in names]]
        return mean_of_present(values)

    def merged(self, groups: Sequence[str]) -> "Confusion":
        """The confusion of groups of classes, such as categories, in the order of their first classes.

        `groups` has the group of each class. A pixel predicted as another class of its own group counts as right. The
        IoU of an absent group is NaN.

        Raises:
            ConfigError: there are more or fewer groups than classes.

        Source: `getIouScoreForCategory` of cityscapesScripts' pixel-level evaluation.
        """
        if len(groups) != len(self.classes):
            raise ConfigError(f"{len(groups)} groups for {len(self.classes)} classes; name the group of every class")
        names = list(dict.fromkeys(groups))
        member = np.zeros((len(names), len(groups)), dtype=np.int64)
        member[[names.index(group) for group in groups], np.arange(len(groups))] = 1
        merged = Confusion(names, self.ignore_index)
        merged.counts = member @ self.counts @ member.T
        merged.rejected = member @ self.rejected
        merged.ignored = self.ignored
        return merged

    def pixel_accuracy(self) -> float:
        """Share of the scored pixels that are predicted right, in `[0, 1]`; NaN if none is scored."""
        return float(_ratio(np.trace(self.counts), self._labelled().sum()))

    def class_accuracy(self) -> np.ndarray:
        """Recall of each class: float64 `[C]` in `[0, 1]`, NaN for classes without a labelled pixel."""
        return _ratio(np.diagonal(self.counts), self._labelled())

    def mean_accuracy(self) -> float:
        """Mean recall over the classes that are labelled somewhere, in `[0, 1]`; NaN if none is."""
        return mean_of_present(self.class_accuracy())

    def frequency_weighted_iou(self) -> float:
        """IoU of each class weighted by its share of the labelled pixels, in `[0, 1]`; NaN if none is scored."""
        shares = _ratio(self._labelled(), self._labelled().sum())
        return float(np.nan) if np.isnan(shares).any() else float(np.nansum(shares * self.iou()))

    def to_tensor(self) -> Tensor:
        """All counts as int64 `[C * C + C + 1]`, for a sum over processes."""
        return torch.from_numpy(np.concatenate([self.counts.ravel(), self.rejected, [np.int64(self.ignored)]]))

    def from_tensor(self, values: Tensor) -> "Confusion":
        """A confusion over the same classes with the counts of `to_tensor`'s layout."""
        array = values.cpu().numpy().astype(np.int64)
        total = Confusion(self.classes, self.ignore_index)
        total.counts = array[: self.counts.size].reshape(self.counts.shape).copy()
        total.rejected = array[self.counts.size : -1].copy()
        total.ignored = int(array[-1])
        return total

    def to_json(self) -> dict[str, Any]:
        """Counts as integers; the inverse of `from_json`."""
        content = {
            "classes": list(self.classes),
            "ignore_index": self.ignore_index,
            "ignored": self.ignored,
            "counts": self.counts.tolist(),
        }
        return {**content, "rejected": self.rejected.tolist()} if self.rejected.any() else content

    @staticmethod
    def from_json(content: dict[str, Any], name: str = "confusion matrix") -> "Confusion":
        """The inverse of `to_json`.

        Raises:
            ArtefactError: a key is missing, or the counts are not integers `[C, C]`.
        """
        try:
            confusion = Confusion(content["classes"], content["ignore_index"])
            confusion.counts = read_counts(content["counts"], confusion.counts.shape)
            if "rejected" in content:
                confusion.rejected = read_counts(content["rejected"], confusion.rejected.shape)
            confusion.ignored = int(content["ignored"])
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise ArtefactError(f"{name}: not a confusion matrix ({error}); evaluate again") from error
        return confusion

    def _labelled(self) -> np.ndarray:
        """The scored pixels of each class: int64 `[C]`."""
        labelled: np.ndarray = self.counts.sum(axis=1) + self.rejected
        return labelled


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole` in float64, NaN where the whole is zero."""
    missing = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.divide(part, whole, out=missing, where=whole != 0)
