"""How long one prediction takes to count: ours, cityscapesScripts' and torchmetrics' confusion matrix on one core.

The three count the same pair of label maps, already decoded, and must come to identical counts. cityscapesScripts
counts raw ids through its own `evaluatePair`, which is handed the images in place of their files; it uses its compiled
part where that is installed, which its package on the registry does not hold.

Times are of the wall clock. Where other work wants the core, the fastest call is what the machine can do.

Run:  python -m tools.bench.evaluate [--repeat 15] [--label labelTrainIds.png --prediction trainIds.png] [--json FILE]
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

from segda import compat
from segda.errors import DataError, SegdaError
from segda.labels import cityscapes
from segda.metrics.confusion import Confusion
from tools.bench import figure
from tools.bench.figure import Figure

PART = "evaluation and export"
SIZE = (1024, 2048)
OURS, OFFICIAL, TORCHMETRICS = "segda", "cityscapesScripts", "torchmetrics"
LIMIT = 6.0  # milliseconds
AIMS = {OFFICIAL: 4.0, TORCHMETRICS: 50.0}

Counts = np.ndarray
"""int64 `[19, 19]`: rows are labels, columns predictions; pixels with an ignored label are left out."""


class Timing(NamedTuple):
    """Milliseconds of wall clock over the repetitions, and what was counted."""

    median: float
    fastest: float
    counts: Counts


def made_pair(size: tuple[int, int] = SIZE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A label map like a street scene's, in regions with 5 % ignored, and a prediction that errs along their borders.

    Returns:
        Two uint8 `[H, W]` of class indices; 255 in the label where ignored.
    """
    draws = np.random.default_rng(seed)
    classes = len(cityscapes.EVALUATED)
    best = {name: np.full(size, -np.inf, np.float32) for name in ("label", "prediction")}
    pair = {name: np.zeros(size, np.uint8) for name in best}
    for index in range(classes):
        field = draws.standard_normal((17, 33), np.float32)
        noise = draws.standard_normal((65, 129), np.float32)
        smooth = cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC)
        rough = smooth + 0.3 * cv2.resize(noise, size[::-1])
        for name, strength in (("label", smooth), ("prediction", rough)):
            wins = strength > best[name]
            pair[name][wins] = index
            best[name][wins] = strength[wins]
    hidden = cv2.resize(draws.standard_normal((17, 33), np.float32), size[::-1])
    pair["label"][hidden > np.quantile(hidden, 0.95)] = cityscapes.SPACE.ignore_index
    return pair["label"], pair["prediction"]


def counters(label: np.ndarray, prediction: np.ndarray) -> dict[str, Callable[[], Counts]]:
    """A function for each library that counts the pair from nothing."""
    return {
        OURS: lambda: _ours(label, prediction),
        OFFICIAL: _official(cityscapes.to_ids(label), cityscapes.to_ids(prediction)),
        TORCHMETRICS: _torchmetrics(label, prediction),
    }


def measure(counters: dict[str, Callable[[], Counts]], repeat: int) -> dict[str, Timing]:
    """Call each counter a number of times on end, after a first call that is not measured.

    Raises:
        DataError: two libraries came to different counts.
    """
    counts: dict[str, Counts] = {name: count() for name, count in counters.items()}
    for name, found in counts.items():
        if not np.array_equal(found, counts[OURS]):
            raise DataError(
                f"{name} counts {int(found.sum())} pixels and {OURS} {int(counts[OURS].sum())}, not the same matrix; "
                "no time of theirs can be compared"
            )
    timings = {}
    for name, count in counters.items():
        spent = []
        for _ in range(repeat):
            start = time.perf_counter()
            count()
            spent.append(1000 * (time.perf_counter() - start))
        timings[name] = Timing(statistics.median(spent), min(spent), counts[name])
    return timings


def report(timings: dict[str, Timing], size: tuple[int, int]) -> str:
    """A line a library, and its time as a multiple of ours."""
    ours = timings[OURS]
    title = f"{size[1]}x{size[0]}, one prediction counted; {int(ours.counts.sum())} pixels scored, counts identical"
    lines = [title, "", f"{'ms':18}{'median':>9}{'ratio':>8}{'fastest':>10}{'ratio':>8}"]
    for name, timing in timings.items():
        ratios = timing.median / ours.median, timing.fastest / ours.fastest
        lines.append(f"{name:18}{timing.median:9.2f}{ratios[0]:8.1f}{timing.fastest:10.2f}{ratios[1]:8.1f}")
    return "\n".join(lines)


def figures(timings: dict[str, Timing], size: tuple[int, int]) -> list[Figure]:
    """Our time, and the others' as a multiple of it, by the medians."""
    ours = timings[OURS].median
    what = f"one {size[1]}x{size[0]} prediction counted, one core"
    # The aim is for full-sized pairs; for pairs given on the command line only where they are of that size.
    bound = LIMIT if size == SIZE else None
    found = [Figure(PART, what, ours, "ms", ours, bound=bound, sense="at most")]
    language = "C" if _module().CSUPPORT else "Python"
    for name, aim in AIMS.items():
        theirs, note = timings[name].median, f"counts in {language}" if name == OFFICIAL else ""
        found.append(Figure(PART, what, ours, "ms", theirs / ours, name, theirs, aim, note=note))
    return found


def _ours(label: np.ndarray, prediction: np.ndarray) -> Counts:
    confusion = Confusion(cityscapes.SPACE.classes)
    confusion.update(label, prediction)
    return confusion.counts


def _official(label: np.ndarray, prediction: np.ndarray) -> Callable[[], Counts]:
    """The evaluator on raw ids; its file names are keys to images in memory, so no decoding is timed."""
    module = _module()
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
    compat.import_ready()  # torchmetrics imports torchvision
    from torchmetrics.classification import MulticlassConfusionMatrix

    target, predicted = torch.from_numpy(label).long()[None], torch.from_numpy(prediction).long()[None]

    def count() -> Counts:
        space = cityscapes.SPACE
        metric = MulticlassConfusionMatrix(num_classes=space.count, ignore_index=space.ignore_index)
        metric.update(predicted, target)
        counts: Counts = metric.compute().numpy()
        return counts

    return count


def _module() -> Any:
    from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling

    return evalPixelLevelSemanticLabeling


def _read(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise DataError(f"{path}: no 8-bit image of one channel; give class indices, 255 where ignored")
    return pixels


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--repeat", type=int, default=15, help="measured calls of each library (15)")
    parser.add_argument("--label", type=Path, metavar="PNG", help="class indices, 255 where ignored; else made up")
    parser.add_argument("--prediction", type=Path, metavar="PNG", help="class indices of the same size")
    figure.add_arguments(parser)
    given = parser.parse_args()
    if (given.label is None) != (given.prediction is None):
        parser.error("--label and --prediction go together")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        pair = (_read(given.label), _read(given.prediction)) if given.label else made_pair()
        timings = measure(counters(*pair), given.repeat)
        size = (int(pair[0].shape[0]), int(pair[0].shape[1]))
        print(report(timings, size), end="\n\n")
        figure.tell(figures(timings, size), given)
    except SegdaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
