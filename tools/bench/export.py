"""How fast an export writes, translation aside, compared with a plain loop of OpenCV on the same files.

Images of 1914x1052 pixels in GTA5's layout are read and written again: by a loop of `cv2.imread` and `cv2.imwrite` with
OpenCV's own PNG settings, and by the stage's own code, with a translation that changes nothing and two workers, which
reads and links the labels as well. The two take turns, and the medians are compared.
"""

import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2

from pipelines.stages.export import writing
from segda import label_space
from segda.data.dataset import Dataset
from segda.data.prefetch import Workers
from segda.data.readers import gta5
from segda.export import agreement
from segda.export.layout import Source
from tools.bench.harness import Figure, Seconds, seconds, turns
from tools.bench.inputs import scenes

TARGET = 1.7


def loop(dataset: Dataset, folder: Path) -> None:
    """What one would write without thinking."""
    for sample in dataset.samples:
        image = cv2.imread(str(sample.image))
        assert image is not None
        assert cv2.imwrite(str(folder / sample.image.name), image)


def export(workers: int, dataset: Dataset, folder: Path) -> None:
    """What the stage does: decode, check and hand on, encode, rename; labels linked."""
    work = writing.Work(
        dataset=dataset,
        layout=Source(dataset.root, quality=95, hard_link=True),
        folder=folder,
        read=partial(writing.read, dataset, None, True),
        translate=lambda images, labels, indices: images,
        judge=None,
        records=agreement.Records(folder, 0),
        minimum=None,
        ignore_lost=False,
        group_size=1,
        block_size=1,
    )
    with Workers(workers) as threads:
        work.run(range(len(work.groups)), threads, lambda done: None)


def measure(images: int = 8, rounds: int = 3, workers: int = 2) -> list[Figure]:
    """Images a second of both."""
    cv2.setNumThreads(1)  # one thread for the loop, as many as there are workers for the export
    with tempfile.TemporaryDirectory() as scratch:
        dataset = gta5.build(scenes(Path(scratch), images), label_space.load("cityscapes"))
        work: dict[str, Callable[..., None]] = {"loop": loop, "export": partial(export, workers)}

        def side(name: str) -> Seconds:
            return seconds(work[name], dataset, Path(tempfile.mkdtemp(dir=scratch)))

        taken = turns({name: partial(side, name) for name in work}, rounds)
    rates = {side: len(dataset) / statistics.median(one.clock for one in times) for side, times in taken.items()}
    costs = {side: statistics.median(one.cores for one in times) / len(dataset) for side, times in taken.items()}
    ratio = rates["export"] / rates["loop"]
    spent = ", ".join(f"{side} {1000 * costs[side]:.0f} ms in {rates[side] * costs[side]:.2f} cores" for side in rates)
    what = f"1914x1052 PNG images written by an export, {workers} workers"
    other, note = "cv2.imread and cv2.imwrite in a loop", f"an image: {spent}"
    return [Figure(what, rates["export"], "images/s", ratio, other, rates["loop"], TARGET, note=note)]
