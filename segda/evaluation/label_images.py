"""Score the label images of any trainer against labels: pairs of files, the meaning of values, one confusion matrix."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segda.data.dataset import Dataset, Problem
from segda.data.find import LABEL_PREFIX, LABEL_SUFFIX, PICTURES, find_files, longest_beginning
from segda.data.label_values import COLOUR, Reading, read_as, read_values
from segda.data.prefetch import in_order
from segda.errors import ConfigError, DataError
from segda.evaluation.evaluate import groupings
from segda.evaluation.scores import Evaluation
from segda.label_space import LabelSpace
from segda.metrics.mean_iou import Confusion

_PREFIX = re.compile(r"(?<![^/])(?:pred|prediction|predicted|result)[_-](?=[^/]+$)", re.IGNORECASE)

# What a file's name says of its values, and the order in which label files of one image are taken.
_NAMED = {
    "instances": re.compile(r"instance|panoptic", re.IGNORECASE),
    "train-ids": re.compile(r"train_?ids?", re.IGNORECASE),
    "ids": re.compile(r"(?:label|prediction|pred|[_-])ids?(?![a-z])", re.IGNORECASE),
    "colours": re.compile(r"colou?r", re.IGNORECASE),
}
_ORDER = ("ids", "train-ids", "", "colours", "instances")


class Label(NamedTuple):
    """A label file, what predictions of it are called, and what its name says of its values."""

    key: str
    file: Path
    named: str = ""


class Pair(NamedTuple):
    """A label file, the prediction of it, and what the prediction's name says of its values."""

    label: Path
    prediction: Path
    named: str = ""


@dataclass
class Counts:
    """How often label values meet predicted ones, and which file had a value first."""

    joint: Counter[tuple[int, int]] = field(default_factory=Counter)
    label_files: dict[int, Path] = field(default_factory=dict)
    prediction_files: dict[int, Path] = field(default_factory=dict)

    def add(self, label: np.ndarray, prediction: np.ndarray, pair: Pair) -> None:
        """Count two maps of one size, integer `[H, W]`."""
        (labels, of_label), (predictions, of_prediction) = _distinct(label), _distinct(prediction)
        cells = np.bincount(of_label * len(predictions) + of_prediction, minlength=len(labels) * len(predictions))
        for cell in np.flatnonzero(cells).tolist():
            values = int(labels[cell // len(predictions)]), int(predictions[cell % len(predictions)])
            self.joint[values] += int(cells[cell])
            self.label_files.setdefault(values[0], pair.label)
            self.prediction_files.setdefault(values[1], pair.prediction)

    def pixels(self, side: int) -> Counter[int]:
        """Value to pixels: of labels for 0, of predictions for 1."""
        pixels: Counter[int] = Counter()
        for values, count in self.joint.items():
            pixels[values[side]] += count
        return pixels


class Score(NamedTuple):
    """An evaluation, or the problems that stand against it; and what was read how, a line each."""

    evaluation: Evaluation | None
    problems: list[Problem]
    notes: list[str]


def find_labels(folder: Path, kind: str | None = None) -> tuple[list[Label], list[str]]:
    """The label images below a folder, one for each image, and a line on those that are not read.

    Beside `x_gtFine_labelIds.png` lie `x_gtFine_color.png` and others: ids are taken before train ids and these before
    colours, but what `kind` names before all.

    Raises:
        DataError: no picture is there.
    """
    of_image: dict[str, list[Label]] = {}
    files = _pictures(folder, "label")
    for key, file in files.items():
        mark = LABEL_SUFFIX.search(key)
        image = LABEL_PREFIX.sub("", key if mark is None else key[: mark.start()])
        of_image.setdefault(image, []).append(Label(image, file, _named(mark[0] if mark else "")))
    order = [*([kind] if kind else ()), *_ORDER]
    chosen = [min(labels, key=lambda label: order.index(label.named)) for labels in of_image.values()]
    left_out = len(files) - len(chosen)
    notes = [f"labels: {chosen[0].file.name} and its like; {left_out} other files of the same images are not read"]
    return chosen, notes if left_out else []


def pair(labels: Sequence[Label], folder: Path) -> tuple[list[Pair], list[Problem]]:
    """Pair labels with the predictions below a folder, whose names begin with those of their labels.

    Folders count only where labels in several folders have one name.

    Raises:
        DataError: no picture is there, or none has the name of a label.
    """
    whole = len({_base(label.key) for label in labels}) < len(labels)
    of_name = {label.key if whole else _base(label.key): label for label in labels}
    found: dict[str, list[Pair]] = {}
    problems = []
    for key, file in _pictures(folder, "prediction").items():
        name = _PREFIX.sub("", key if whole else _base(key))
        label = name if name in of_name else longest_beginning(name, of_name)
        if label is None:
            problems.append(Problem("prediction without label", file))
        else:
            found.setdefault(label, []).append(Pair(of_name[label].file, file, _named(name[len(label) :])))
    if not found:
        example = next(iter(of_name))
        folders = ", with its folders, since labels in several have one name" if whole else ""
        raise DataError(
            f"{folder}: no prediction belongs to a label: none is called {example}… as label "
            f"{of_name[example].file.name} is{folders}; rename them, or name the folders of one split"
        )
    for name, label_file in of_name.items():
        several = found.get(name, [])
        if not several:
            problems.append(Problem("label without prediction", label_file.file))
        elif len(several) > 1:
            names = ", ".join(each.prediction.relative_to(folder).as_posix() for each in several[:3])
            problems.append(Problem("several predictions of one label", label_file.file, f"{names}; keep one of them"))
    return [each[0] for each in found.values() if len(each) == 1], problems


def score(
    pairs: Sequence[Pair],
    space: LabelSpace,
    *,
    dataset: Dataset | None = None,
    labelled_as: str | None = None,
    predicted_as: str | None = None,
    named: str = "",
    resize: bool = False,
    workers: int = 2,
    progress: Callable[[int], None] = lambda done: None,
) -> Score:
    """Score pairs as the official script of Cityscapes does: pixels whose label is ignored do not count, others that
    are predicted as nothing are errors of their class.

    Args:
        pairs: at least one.
        space: of the classes that are scored.
        dataset: reads the labels; without it they are read by their values, as predictions are.
        labelled_as: what labels hold, a name in `segda.data.label_values.readings`; `None` to find out.
        predicted_as: what predictions hold, likewise.
        named: what the names of the labels say of it.
        resize: bring predictions of another size to the label's by nearest pixel, in place of refusing them.
        workers: threads that decode.
        progress: gets the number of pairs read.

    Raises:
        ConfigError: values that may be read in several ways, or a reading that the label space does not have.
    """
    counts, problems, resized = Counts(), list[Problem](), 0
    decode = read_values if dataset is None else dataset.decode_label
    read = in_order(lambda each: _read(each, decode), pairs, workers=workers, ahead=2 * workers)
    for done, (each, maps) in enumerate(zip(pairs, read, strict=True), 1):
        progress(done)
        if isinstance(maps, Problem):
            problems.append(maps)
            continue
        label, prediction = maps
        if label.shape != prediction.shape and not resize:
            problems.append(Problem("another size", each.prediction, _sizes(label, prediction)))
            continue
        resized += label.shape != prediction.shape
        counts.add(label, _resized(prediction, label.shape), each)
    if not counts.joint:
        return Score(None, problems, [])
    hints = {each.named for each in pairs}
    indices = {**dict(enumerate(space.classes)), space.ignore_index: None}
    of_labels = (f"reader {dataset.name}", indices) if dataset else _meaning(counts, 0, space, labelled_as, named)
    of_predictions = _meaning(counts, 1, space, predicted_as, hints.pop() if len(hints) == 1 else "")
    for what, side, files, (kind, reading) in (
        ("label", 0, counts.label_files, of_labels), ("prediction", 1, counts.prediction_files, of_predictions)
    ):  # fmt: skip
        problems += [
            Problem(f"{what} outside the map", files[value], f"{_shown(value)}, {pixels} pixels in all, read as {kind}")
            for value, pixels in sorted(counts.pixels(side).items())
            if value not in reading
        ]
    notes = [f"labels read as {of_labels[0]}, predictions as {of_predictions[0]}"]
    notes += [f"{resized} predictions brought to the size of their labels by nearest pixel"] if resized else []
    if problems:
        return Score(None, problems, notes)
    confusion = _confusion(counts.joint, space, of_labels[1], of_predictions[1])
    protocol = {
        "dataset": dataset.name if dataset else "label images",
        "label_space": space.name,
        "classes": list(space.classes),
        **groupings(space, "IoU"),
        "labels_read_as": of_labels[0],
        "predictions_read_as": of_predictions[0],
        "resized": resized,
        "measure": "IoU",
        "images": len(pairs),
        "pixels_scored": confusion.pixels,
        "pixels_ignored": confusion.ignored,
    }
    return Score(Evaluation(confusion, len(pairs), protocol), [], notes)


def _pictures(folder: Path, what: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one with {what} images")
    files = find_files(folder, ".", PICTURES)
    if not files:
        raise DataError(f"{folder}: holds no {what} image; expected files that end in {', '.join(PICTURES)}")
    return files


def _named(ending: str) -> str:
    return next((kind for kind, pattern in _NAMED.items() if pattern.search(ending)), "")


def _base(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values that occur, ascending, and the index of each pixel's among them, int64 `[H * W]`."""
    flat = values.ravel().astype(np.int64)
    if flat.max() >= 1 << 16:
        distinct, indices = np.unique(flat, return_inverse=True)
        return distinct, indices.ravel()
    distinct = np.flatnonzero(np.bincount(flat))  # sorting takes many times as long
    table = np.zeros(distinct[-1] + 1, dtype=np.int64)
    table[distinct] = range(len(distinct))
    return distinct, table[flat]


def _read(each: Pair, decode: Callable[[Path], np.ndarray]) -> tuple[np.ndarray, np.ndarray] | Problem:
    file = each.label
    try:
        label = decode(each.label)
        if not label.ndim:
            raise ConfigError("score: labels are of whole images; expected one class for each pixel")
        file = each.prediction
        return label, read_values(file)
    except DataError as error:
        return Problem("broken file", file, str(error).removeprefix(f"{file}: "))


def _sizes(label: np.ndarray, prediction: np.ndarray) -> str:
    shapes = f"{prediction.shape[0]}x{prediction.shape[1]}, label {label.shape[0]}x{label.shape[1]} (height x width)"
    return f"{shapes}; predict at the label's size, or let --resize enlarge it by nearest pixel"


def _resized(values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """A map at another size, each pixel the one whose centre is nearest."""
    if values.shape == size:
        return values
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, values.shape, strict=True))
    return values[rows[:, None], columns]


def _meaning(counts: Counts, side: int, space: LabelSpace, kind: str | None, named: str) -> tuple[str, Reading]:
    try:
        return read_as(counts.pixels(side), space, kind, named)
    except ConfigError as error:
        what, option = (("labels", "--labelled-as"), ("predictions", "--predicted-as"))[side]
        raise ConfigError(f"{what}: {error}; say which by {option}") from None


def _shown(value: int) -> str:
    """A number, or a colour as `[128, 64, 128]`."""
    return str([value >> 16 & 255, value >> 8 & 255, value & 255]) if value >= COLOUR else str(value)


def _confusion(
    joint: Mapping[tuple[int, int], int], space: LabelSpace, labels: Reading, predictions: Reading
) -> Confusion:
    confusion = Confusion(space.classes, space.ignore_index)
    index: dict[str | None, int] = {name: number for number, name in enumerate(space.classes)}
    for (label, prediction), pixels in joint.items():
        row, column = index.get(labels[label]), index.get(predictions[prediction])
        if row is None:
            confusion.ignored += pixels
        elif column is None:
            confusion.rejected[row] += pixels
        else:
            confusion.counts[row, column] += pixels
    return confusion
