"""Label agreement: did the translation keep an image's content, in the eyes of a network that judges it?

The judge predicts on the image before and after translation. Where the label is not ignored, the two predictions are
compared with one another and each with the label, as intersection over union of every class. An image's agreement is
the mean over the classes that either prediction holds of the IoU of its predictions before and after.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from segda.errors import ArtefactError
from segda.files import write_whole

PAIRS = ("agreement", "before", "after")
"""What is compared: the predictions with one another, the one before with the label, the one after with it."""

_NAME = "agreement-{rank}.jsonl"


@dataclass(frozen=True)
class Counts:
    """Pixels of one image, or of many, int64 `[3, K]` each: a row for each of `PAIRS`, a column a class."""

    intersection: np.ndarray
    union: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.intersection + other.intersection, self.union + other.union)

    def iou(self) -> np.ndarray:
        """Float64 `[3, K]` in `[0, 1]`, NaN where neither of a pair holds the class."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.intersection / self.union

    def mean(self) -> tuple[float | None, ...]:
        """The mean over present classes for each of `PAIRS`; `None` where there is none."""
        return tuple(float(np.nanmean(row)) if not np.isnan(row).all() else None for row in self.iou())


def compare(before: np.ndarray, after: np.ndarray, label: np.ndarray, classes: int, ignore_index: int) -> Counts:
    """Count what one image's predictions and label have in common.

    Args:
        before: integers of any shape, predicted on the image before translation.
        after: likewise, after it.
        label: likewise; pixels that hold `ignore_index` are left out throughout.
        classes: number of classes K.
        ignore_index: of `label`.
    """
    scored = label != ignore_index
    first, second, truth = before[scored], after[scored], label[scored]
    rows = [_overlap(one, other, classes) for one, other in ((first, second), (first, truth), (second, truth))]
    return Counts(np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]))


def _overlap(one: np.ndarray, other: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    both = np.bincount(one[one == other].ravel(), minlength=classes)
    return both, np.bincount(one.ravel(), minlength=classes) + np.bincount(other.ravel(), minlength=classes) - both


class Records:
    """The counts of the images that were judged so far, kept beside an unfinished export, a file a process."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Read what is there, and go on with this process's file.

        Args:
            folder: of the export.
            rank: this process.
        """
        self._folder, self._rank = folder, rank
        self.counts = read(folder)
        self._file: IO[str] | None = None

    def add(self, key: str, counts: Counts) -> None:
        """Keep the counts of an image, before anything of it is written.

        Raises:
            ArtefactError: they cannot be written.
        """
        self.counts[key] = counts
        path = self._folder / _NAME.format(rank=self._rank)
        line = {"key": key, "intersection": counts.intersection.tolist(), "union": counts.union.tolist()}
        try:
            if self._file is None:
                # A line that a death cut short must not run into the next one.
                whole = [text for text in _lines(path) if text.endswith("\n")]
                write_whole(path, "".join(whole).encode())
                self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise ArtefactError(f"{path}: cannot be written ({error.strerror}); free space, then run again") from error

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
            self._file = None


def read(folder: Path) -> dict[str, Counts]:
    """The counts that all processes have kept, by key; a last line that a death cut short is left out."""
    found = {}
    for path in sorted(folder.glob(_NAME.format(rank="*"))):
        for text in _lines(path):
            if text.endswith("\n"):
                line = json.loads(text)
                found[line["key"]] = Counts(np.array(line["intersection"]), np.array(line["union"]))
    return found


def remove(folder: Path) -> None:
    """Remove what processes have kept, once `agreement.json` holds it."""
    for path in folder.glob(_NAME.format(rank="*")):
        path.unlink()


def disagreeing(counts: Mapping[str, Counts], minimum: float | None) -> list[str]:
    """The keys below the least agreement, worst first; images without a labelled pixel cannot be judged and stay."""
    if minimum is None:
        return []
    means = {key: found for key, count in counts.items() if (found := count.mean()[0]) is not None and found < minimum}
    return sorted(means, key=lambda key: (means[key], key))


def report(
    counts: Mapping[str, Counts],
    keys: Iterable[str],
    classes: Sequence[str],
    *,
    minimum: float | None,
    dropped: Sequence[str],
    judge: Mapping[str, Any],
    worst: int = 20,
) -> dict[str, Any]:
    """What `agreement.json` holds: shares in `[0, 1]`, `None` where a class or a labelled pixel is missing.

    Args:
        counts: of every image.
        keys: of the images, in the order of the data set.
        classes: class names.
        minimum: the least agreement that was asked for.
        dropped: keys that were left out for it.
        judge: who judged.
        worst: how many of the worst images are listed.

    Returns:
        `mean` (over the images, of each image's mean), `classes` (over all pixels), `worst` (keys, worst first) and
        `images`: for each its mean of each of `PAIRS` and the IoU of each class that its predictions or label hold.
    """
    keys = list(keys)
    images: dict[str, dict[str, Any]] = {}
    for key in keys:
        iou, means = counts[key].iou(), counts[key].mean()
        held = [index for index in range(len(classes)) if not np.isnan(iou[:, index]).all()]
        images[key] = {
            **{pair: _rounded(mean) for pair, mean in zip(PAIRS, means, strict=True)},
            "classes": {classes[index]: [_rounded(value) for value in iou[:, index]] for index in held},
        }
    total = sum((counts[key] for key in keys[1:]), counts[keys[0]])
    table = np.array([[np.nan if mean is None else mean for mean in counts[key].mean()] for key in keys])
    known = [column[~np.isnan(column)] for column in table.T]
    judged = [key for key in keys if images[key]["agreement"] is not None]
    return {
        "judge": dict(judge),
        "pairs": list(PAIRS),
        "minimum_agreement": minimum,
        "mean": {
            pair: _rounded(found.mean() if len(found) else None) for pair, found in zip(PAIRS, known, strict=True)
        },
        "classes": {
            name: dict(zip(PAIRS, map(_rounded, row), strict=True))
            for name, row in zip(classes, total.iou().T, strict=True)
        },
        "worst": sorted(judged, key=lambda key: (counts[key].mean()[0], key))[:worst],
        "dropped": sorted(dropped),
        "images": images,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 6)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
