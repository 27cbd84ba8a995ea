"""How fast an export writes, translation aside, beside a plain loop of OpenCV on the same files.

Images of 1914x1052 pixels in GTA5's layout are read and written again: by a loop of `cv2.imread` and `cv2.imwrite` with
OpenCV's own PNG settings, and by the stage's own code, with a translation that changes nothing and two workers, which
reads and links the labels as well. The two take turns, and the medians are compared.

Run:  python -m tools.bench.export [--images 8] [--rounds 3] [--workers 2] [--folder GTA5] [--json FILE]
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2

from pipelines import exporting
from segda import label_space
from segda.data.dataset import Dataset
from segda.data.readers import gta5
from segda.data.streets import write as streets
from segda.export import agreement
from segda.export.layout import Source
from segda.export.workers import Workers
from tools.bench import figure
from tools.bench.figure import Figure

SIZE = (1052, 1914)
TARGET = 1.7


def loop(dataset: Dataset, folder: Path) -> None:
    """What one would write without thinking."""
    for sample in dataset.samples:
        image = cv2.imread(str(sample.image))
        assert image is not None
        assert cv2.imwrite(str(folder / sample.image.name), image)


def export(dataset: Dataset, workers: int, folder: Path) -> None:
    """What the stage does: decode, check and hand on, encode, rename; labels linked."""
    work = exporting.Work(
        dataset=dataset,
        form=Source(dataset.root, quality=95, hard_link=True),
        place=folder,
        read=partial(exporting.read, dataset, None, True),
        translate=lambda images, places: images,
        judge=None,
        records=agreement.Records(folder, 0),
        minimum=None,
        group=1,
        length=1,
    )
    with Workers(workers) as threads:
        work.run(range(len(work.groups)), threads, lambda done: None)


class Taken(NamedTuple):
    """Seconds on the clock, and of all cores together."""

    clock: float
    cores: float


def seconds(write: Callable[[Path], None], scratch: Path) -> Taken:
    """How long it takes to write the set once, into an empty folder."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    start = Taken(time.perf_counter(), time.process_time())
    write(folder)
    taken = Taken(time.perf_counter() - start.clock, time.process_time() - start.cores)
    shutil.rmtree(folder)
    return taken


def measure(dataset: Dataset, rounds: int, workers: int, scratch: Path) -> list[Figure]:
    """Images per second of both, in turns, by the medians of their times."""
    writers: dict[str, Callable[[Path], None]] = {
        "loop": partial(loop, dataset),
        "export": partial(export, dataset, workers),
    }
    taken: dict[str, list[Taken]] = {each: [] for each in writers}
    for _ in range(rounds):
        for each, write in writers.items():
            taken[each].append(seconds(write, scratch))
    rates = {each: len(dataset) / statistics.median(one.clock for one in times) for each, times in taken.items()}
    costs = {each: statistics.median(one.cores for one in times) / len(dataset) for each, times in taken.items()}
    ratio = rates["export"] / rates["loop"]
    spent = ", ".join(f"{each} {1000 * costs[each]:.0f} ms in {rates[each] * costs[each]:.2f} cores" for each in rates)
    why = (
        "; OpenCV takes fast PNG settings by itself, so the loop encodes as fast, and the export checks labels besides"
        if ratio < TARGET
        else ""
    )
    height, width = dataset.read(0)[0].shape[:2]
    return [Figure(
        "evaluation and export", f"{width}x{height} PNG images written by an export, {workers} workers",
        rates["export"], "images/s", ratio, "cv2.imread and cv2.imwrite in a loop", rates["loop"], TARGET,
        note=f"an image: {spent}{why}",
    )]  # fmt: skip


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--images", type=int, default=8, help="number of images (8)")
    parser.add_argument("--rounds", type=int, default=3, help="how often either writes them (3)")
    parser.add_argument("--workers", type=int, default=2, help="threads of the export (2)")
    parser.add_argument("--folder", type=Path, help="a folder in GTA5's layout, in place of drawn scenes")
    figure.add_arguments(parser)
    given = parser.parse_args()
    cv2.setNumThreads(1)  # one thread for the loop, as many as there are workers for the export
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        root = given.folder
        if root is None:
            streets.write(scratch, rendered=given.images, camera_train=0, camera_val=0, size=SIZE, seed=0)
            root = scratch / "rendered"
        dataset = gta5.build(root, label_space.load("cityscapes"), limit=given.images)
        figure.tell(measure(dataset, given.rounds, given.workers, scratch), given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
