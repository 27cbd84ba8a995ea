"""How long one prediction takes to count: ours, cityscapesScripts' and torchmetrics' confusion matrix on one core.

The three count the same pair of label maps, already decoded, and must come to identical counts. cityscapesScripts
counts raw ids through its own `evaluatePair`, which gets the images in place of their files; it uses its compiled part
where that is installed, which its package on the registry does not hold.

Times are of the wall clock. Where other work wants the core, the fastest call is what the machine can do.
"""

import statistics
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from segda import torchvision_compat
from segda.errors import DataError
from segda.label_spaces import cityscapes
from segda.metrics.mean_iou import Confusion
from tools.bench.harness import Figure, seconds

LIMIT = 6.0  # milliseconds
TARGETS = {"cityscapesScripts": 4.0, "torchmetrics": 50.0}

Counts = np.ndarray
"""int64 `[19, 19]`: rows are labels, columns predictions; pixels with an ignored label are left out."""


def made_pair(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A label map of regions with all classes, 5 % of it ignored, and a prediction that is wrong along their borders.

    Returns:
        Two uint8 `[H, W]` of class indices; 255 in the label where ignored.
    """
    coarse = np.random.default_rng(0).integers(0, len(cityscapes.EVALUATED), (16, 32), np.uint8)
    prediction = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)
    label = np.roll(prediction, size[0] // 128, axis=(0, 1))
    label[:, : size[1] // 20] = cityscapes.SPACE.ignore_index
    return label, prediction


def counters(label: np.ndarray, prediction: np.ndarray) -> dict[str, Callable[[], Counts]]:
    """A function for each library that counts the pair from nothing."""
    return {
        "segda": lambda: _ours(label, prediction),
        "cityscapesScripts": _official(cityscapes.to_ids(label), cityscapes.to_ids(prediction)),
        "torchmetrics": _torchmetrics(label, prediction),
    }


def check(counters: dict[str, Callable[[], Counts]]) -> None:
    """Count once with each.

    Raises:
        DataError: two libraries came to different counts.
    """
    own = counters["segda"]()
    for name, count in counters.items():
        if not np.array_equal(counts := count(), own):
            raise DataError(
                f"{name} counts {int(counts.sum())} pixels and segda {int(own.sum())}, not the same matrix; no time "
                "of theirs can be compared"
            )


def _ours(label: np.ndarray, prediction: np.ndarray) -> Counts:
    confusion = Confusion(cityscapes.SPACE.classes)
    confusion.update(label, prediction)
    return confusion.counts


def _official(label: np.ndarray, prediction: np.ndarray) -> Callable[[], Counts]:
    """The evaluator on raw ids; its file names are keys to images in memory, so no decoding is timed."""
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling

    module: Any = evalPixelLevelSemanticLabeling
    images = {"label": Image.fromarray(label), "prediction": Image.fromarray(prediction)}

    def count() -> Counts:
        arguments = SimpleNamespace(evalInstLevelScore=False, evalPixelAccuracy=False)
        matrix = module.generateMatrix(arguments)
        opened, module.Image = module.Image, SimpleNamespace(open=images.__getitem__)
        try:
            module.evaluatePair("prediction", "label", matrix, None, {}, arguments)
        finally:
            module.Image = opened
        return matrix.astype(np.int64)[np.ix_(cityscapes.EVALUATED, cityscapes.EVALUATED)]

    return count


def _torchmetrics(label: np.ndarray, prediction: np.ndarray) -> Callable[[], Counts]:
    """The metric on int64 tensors, the type that it works in."""
    torchvision_compat.import_ready()  # torchmetrics imports torchvision
    from torchmetrics.classification import MulticlassConfusionMatrix

    target, predicted = torch.from_numpy(label).long()[None], torch.from_numpy(prediction).long()[None]

    def count() -> Counts:
        space = cityscapes.SPACE
        metric = MulticlassConfusionMatrix(num_classes=space.count, ignore_index=space.ignore_index)
        metric.update(predicted, target)
        counts: Counts = metric.compute().numpy()
        return counts

    return count


def measure(repeat: int = 15, height: int = 1024) -> list[Figure]:
    """Our time against a limit, and against the others', by the medians of `repeat` calls on end after a first one."""
    from cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling import CSUPPORT

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    sides = counters(*made_pair((height, 2 * height)))
    check(sides)
    times = {}
    for name, count in sides.items():
        times[name] = [1000 * seconds(count).clock for _ in range(1 + repeat)][1:]
    median = {name: statistics.median(each) for name, each in times.items()}
    notes = {name: f"fastest {min(each):.2f} ms" for name, each in times.items()}
    notes["cityscapesScripts"] += f", counts in {'C' if CSUPPORT else 'Python'}"
    what, ours = f"one {2 * height}x{height} prediction counted, one core", median.pop("segda")
    figures = [Figure(what, ours, "ms", ours, bound=LIMIT, sense="at most", note=notes["segda"])]
    for name, theirs in median.items():
        figures.append(Figure(what, ours, "ms", theirs / ours, name, theirs, TARGETS[name], note=notes[name]))
    return figures
