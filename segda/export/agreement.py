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

FILE_NAME = "agreement.json"
_NAME = "agreement-{rank}.jsonl"


@dataclass(frozen=True)
class Counts:
    """Pixels of one image, or of many.

    Attributes:
        intersection: int64 `[3, K]`, one row for each of `PAIRS`, one column a class.
        union: the same.
        lost: int64 `[K]`, pixels of each class that the judge recognises before translation and not after it.
    """

    intersection: np.ndarray
    union: np.ndarray
    lost: np.ndarray

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.intersection + other.intersection, self.union + other.union, self.lost + other.lost)

    def labelled(self) -> int:
        """The number of pixels compared: each is in the label and in the prediction, once for both or once for each."""
        return int(self.intersection[1].sum() + self.union[1].sum()) // 2

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
    lost = np.bincount(truth[is_lost(first, second, truth)].ravel(), minlength=classes)
    return Counts(np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]), lost)


def is_lost(before: np.ndarray, after: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Where the judge sees the label before translation and something else after it: bool, of the arrays' shape."""
    return (before == label) & (after != label)


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
        line = {"key": key, **{name: values.tolist() for name, values in vars(counts).items()}}
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
    # What version 0.2 wrote does not say what is lost; it is measured again.
    return {
        line["key"]: Counts(*(np.array(line[name]) for name in ("intersection", "union", "lost")))
        for line in lines if "lost" in line
    }  # fmt: skip


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


def outlier_limit(counts: Iterable[Counts]) -> float | None:
    """The median agreement less 1.5 times the distance between the quartiles; `None` where nothing is compared.

    Below it an image counts as an outlier among its set. The factor is that of Tukey's box plot, which counts from the
    quartile.
    """
    means = [mean for mean in (count.mean()[0] for count in counts) if mean is not None]
    if not means:
        return None
    low, median, high = np.percentile(means, [25, 50, 75])
    return float(median - 1.5 * (high - low))


def report(
    counts: Mapping[str, Counts],
    keys: Iterable[str],
    classes: Sequence[str],
    *,
    minimum: float | None,
    dropped: Sequence[str],
    judge: Mapping[str, Any],
    ignored: bool = False,
    worst: int = 20,
) -> dict[str, Any]:
    """What `agreement.json` holds: shares in `[0, 1]`, `None` where a class or a labelled pixel is missing.

    `counts` are of every image, `keys` in the order of the data set; `dropped` are those left out for an agreement
    below `minimum`. At most `worst` of the worst images are listed. With `ignored`, the exported labels ignore the
    pixels that are lost.

    Returns:
        `mean` (over the images, of each image's mean), `classes` (over all pixels), `worst` (keys, worst first) and
        `images`: the mean of each of `PAIRS`, and the IoU of each class that the predictions or the label hold. With
        `ignored` also `ignored`: the share of the labelled pixels of the images that are kept, `pixels`, and its parts
        by class, `classes`.
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
        **({"ignored": _ignored([counts[key] for key in keys if key not in set(dropped)], classes)} if ignored else {}),
        "images": images,
    }


def _ignored(kept: Sequence[Counts], classes: Sequence[str]) -> dict[str, Any]:
    """How much of the labels is ignored since the translation lost it; shares in `[0, 1]` of all labelled pixels."""
    total = max(sum(counts.labelled() for counts in kept), 1)
    lost = sum(counts.lost for counts in kept) / total
    shares = np.broadcast_to(lost, len(classes))
    return {
        "pixels": _rounded(shares.sum()),
        "classes": {name: _rounded(share) for name, share in zip(classes, shares, strict=True) if share},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 6)


def _whole_lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
