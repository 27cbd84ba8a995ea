"""Label agreement: did the translation keep an image's content, as a frozen classifier (the judge) sees it?

The judge predicts on the image before and after translation. Where the label is not ignored, the two predictions are
compared with one another and each with the label, as intersection over union (IoU) of every class. An image's agreement
is the IoU of its two predictions, the mean over the classes that either of them holds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segda.errors import ArtefactError
from segda.files import write_whole

PAIRS = ("agreement", "before", "after")
"""What is compared: the predictions with one another, that before with the label, that after with the label."""

_NAME = "agreement-{rank}.jsonl"


@dataclass(frozen=True)
class Counts:
    """Pixels of one image, or of many, int64 `[3, K]` each: one row for each of `PAIRS`, one column a class."""

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
    """Count what one image's predictions before and after translation and its label have in common.

    All three are integers of one shape; pixels whose label is `ignore_index` are left out.
    """
    scored = label != ignore_index
    first, second, truth = before[scored], after[scored], label[scored]
    rows = [_overlap(one, other, classes) for one, other in ((first, second), (first, truth), (second, truth))]
    return Counts(np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]))


def _overlap(one: np.ndarray, other: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    both = np.bincount(one[one == other].ravel(), minlength=classes)
    return both, np.bincount(one.ravel(), minlength=classes) + np.bincount(other.ravel(), minlength=classes) - both


class Records:
    """The counts of the images compared so far, in an unfinished export's folder, one file a process."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Read the counts of all processes from the export's folder; new ones go to the file of process `rank`."""
        self.counts = read(folder)
        self._path = folder / _NAME.format(rank=rank)
        if self._path.is_file():  # a line that a killed process cut short must not run into the next one
            write_whole(self._path, "".join(_whole_lines(self._path)).encode())

    def add(self, key: str, counts: Counts) -> None:
        """Write the counts of an image, which comes before its files.

        Raises:
            ArtefactError: they cannot be written.
        """
        self.counts[key] = counts
        line = {"key": key, "intersection": counts.intersection.tolist(), "union": counts.union.tolist()}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise ArtefactError(
                f"{self._path}: cannot be written ({error.strerror}); free space, then run again"
            ) from error


def read(folder: Path) -> dict[str, Counts]:
    """The counts that all processes have written, by key; a last line that was cut short is left out."""
    paths = sorted(folder.glob(_NAME.format(rank="*")))
    lines = [json.loads(text) for path in paths for text in _whole_lines(path)]
    return {line["key"]: Counts(np.array(line["intersection"]), np.array(line["union"])) for line in lines}


def remove(folder: Path) -> None:
    """Remove the processes' files, once `agreement.json` holds their counts."""
    for path in folder.glob(_NAME.format(rank="*")):
        path.unlink()


def disagreeing(counts: Mapping[str, Counts], minimum: float | None) -> list[str]:
    """The keys with an agreement below `minimum`, worst first; images without a labelled pixel have none and stay."""
    if minimum is None:
        return []
    means = ((count.mean()[0], key) for key, count in counts.items())
    return [key for _, key in sorted((mean, key) for mean, key in means if mean is not None and mean < minimum)]


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

    `counts` are of every image, `keys` in the order of the data set; `dropped` are those left out for an agreement
    below `minimum`. At most `worst` of the worst images are listed.

    Returns:
        `mean` (over the images, of each image's mean), `classes` (over all pixels), `worst` (keys, worst first) and
        `images`: the mean of each of `PAIRS`, and the IoU of each class that the predictions or the label hold.
    """
    keys = list(keys)
    images: dict[str, dict[str, Any]] = {}
    for key in keys:
        iou, means = counts[key].iou(), counts[key].mean()
        images[key] = {
            **dict(zip(PAIRS, map(_rounded, means), strict=True)),
            "classes": {
                name: [_rounded(value) for value in values]
                for name, values in zip(classes, iou.T, strict=True) if not np.isnan(values).all()
            },
        }  # fmt: skip
    total = sum((counts[key] for key in keys[1:]), counts[keys[0]])
    table = np.array([[np.nan if mean is None else mean for mean in counts[key].mean()] for key in keys])
    columns = [column[~np.isnan(column)] for column in table.T]
    compared = [key for key in keys if images[key]["agreement"] is not None]
    return {
        "judge": dict(judge),
        "pairs": list(PAIRS),
        "minimum_agreement": minimum,
        "mean": {
            pair: _rounded(means.mean() if len(means) else None) for pair, means in zip(PAIRS, columns, strict=True)
        },
        "classes": {
            name: dict(zip(PAIRS, map(_rounded, row), strict=True))
            for name, row in zip(classes, total.iou().T, strict=True)
        },
        "worst": sorted(compared, key=lambda key: (counts[key].mean()[0], key))[:worst],
        "dropped": sorted(dropped),
        "images": images,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 6)


def _whole_lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
