"""Time and memory against the number of files: index with fingerprint, plan, check, evaluate, and pack where it is.

A tree in Cityscapes' layout grows from size to size: hard links to one pair of 16x32 pixels, so that what is measured
is what segda does for each file and not its pixels. Each subject runs in a process of its own at each size, once on a
few files to be warm and then for the measurement. Time is that of the processor, which other work on the machine does
not lengthen as it does that of the clock; small trees are taken several times, and the median counts. Memory is by how
much the most that the process ever held (resident) is above what it held before. Index and plan are taken at all sizes,
the others, which decode every file, up to `--decoded`; `--decoded 100000` takes some minutes.

Targets: the time per pair at the largest size is at most 1.3 times that at the smallest; a further file takes at most
1 KB, which is its place in the index (its key, two paths, the tables that pair them): what decodes takes no more.

Run:  python -m tools.bench.growth [--sizes 1000 10000 25000 100000] [--decoded 25000] [--plot FILE.svg] [--json FILE]
"""

import argparse
import gc
import importlib.util
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from segda import label_space
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.data.readers import cityscapes
from segda.networks.networks import Networks
from segda.tasks import segmentation
from tools.bench import figure
from tools.bench.figure import Figure

PART = "growth"
SIZES = (1000, 10_000, 25_000, 100_000)
DECODED = 25_000
LINEAR, FILE = 1.3, 1024.0
SIZE = (16, 32)
CITY = 1000  # pairs in a folder
LINKS = 10_000  # a file system allows 65,000 links to a file
WARM = 20
SEVERAL = 5000  # smaller trees are measured so often that as many pairs are seen


class Point(NamedTuple):
    """One subject at one size: seconds of a core, and bytes above what the process held before."""

    files: int
    seconds: float
    memory: int


class Sky(Networks):
    """Networks that answer `sky` everywhere, so that all else is measured."""

    def __init__(self) -> None:
        super().__init__({}, tied=True)
        self.logits = torch.zeros(1, 19, 2, 4)
        self.logits[:, 10] = 1

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        """The image as its only feature."""
        return [image]

    def classify(self, features: list[Tensor]) -> Tensor:
        """The same logits for every image."""
        return self.logits


def grow(root: Path, start: int, stop: int) -> None:
    """Add the pairs `start` to `stop - 1` to the tree below `root`."""
    image = label = Path()
    for number in range(start, stop):
        city = f"city{number // CITY:04d}"
        places = [root / kind / "train" / city for kind in ("leftImg8bit", "gtFine")]
        if number % CITY == 0 or number == start:
            for place in places:
                place.mkdir(parents=True, exist_ok=True)
        stem = f"{city}_{number // CITY:06d}_{number % CITY:06d}"
        pair = places[0] / f"{stem}_leftImg8bit.png", places[1] / f"{stem}_gtFine_labelIds.png"
        if number % LINKS == 0 or number == start:
            image, label = pair
            pixels = np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE)
            if not cv2.imwrite(str(image), np.dstack([pixels] * 3)) or not cv2.imwrite(str(label), pixels % 34):
                raise SystemExit(f"{root}: cannot be written")
        else:
            pair[0].hardlink_to(image)
            pair[1].hardlink_to(label)


def opened(root: Path) -> Dataset:
    """The tree as a data set."""
    return cityscapes.build(root, label_space.load("cityscapes"))


def index(root: Path) -> object:
    """Find, pair and fingerprint all files."""
    dataset = opened(root)
    return dataset, fingerprint(dataset)


def job(root: Path) -> Path:
    """A pipeline of two stages on the tree, beside it."""
    data = {"name": "cityscapes", "root": str(root), "resize": list(SIZE)}
    networks = {"encoder": {"name": "small"}, "head": {"name": "small"}}
    stage = {"kind": "supervise", "data": data, "method": "oracle", "networks": networks, "steps": 1}
    scores = {"kind": "evaluate", "data": data, "rows": {"it": {"from": "network"}}}
    task = {"name": "segmentation", "labels": "cityscapes"}
    path = root.parent / "job.yaml"
    path.write_text(json.dumps({"task": task, "stages": {"network": stage, "scores": scores}}))
    return path


def plan(root: Path) -> object:
    """What `segda run --plan` does for a job on the data set."""
    from pipelines import pipeline, plan
    from segda.artefacts.store import Store

    return plan.make(pipeline.load(str(job(root))), Store(root.parent / "runs"))


def check(root: Path) -> object:
    """What `segda check` does."""
    from segda.data.check import check as look

    return look(opened(root))


def evaluate(root: Path) -> object:
    """What `segda evaluate` does but for the networks."""
    from segda.engine.evaluate import evaluate as score

    return score(Sky(), opened(root), segmentation.build(label_space.load("cityscapes")))


SUBJECTS: dict[str, Callable[[Path], object]] = {"index": index, "plan": plan, "check": check, "evaluate": evaluate}
ALL_SIZES = ("index", "plan")


def pack(root: Path) -> object:
    """What `segda pack` does for a job on the data set."""
    from pipelines.__main__ import main as segda

    runs = tempfile.mkdtemp(dir=root.parent)
    code = segda(["pack", str(job(root)), "--runs", runs])
    if code:
        raise SystemExit(f"segda pack: exit code {code}")
    return runs


if importlib.util.find_spec("pipelines.command.pack"):
    SUBJECTS["pack"] = pack


def inside(subject: str, root: Path, warm: Path, files: int) -> Point:
    """Measure a subject in this process."""
    torch.set_num_threads(1)
    SUBJECTS[subject](warm)
    gc.collect()
    before = _resident("VmRSS")
    spent: list[float] = []
    kept: object = None
    for _ in range(max(1, SEVERAL // files)):
        kept = None
        gc.collect()
        start = time.process_time()
        kept = SUBJECTS[subject](root)
        spent.append(time.process_time() - start)
    memory = _resident("VmHWM") - before
    del kept
    return Point(files, statistics.median(spent), max(0, memory))


def _resident(what: str) -> int:
    """Bytes of this process that are in memory: now (`VmRSS`), or at most (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def points(sizes: Sequence[int], decoded: int) -> dict[str, list[Point]]:
    """Every subject at every size that it is taken at."""
    found: dict[str, list[Point]] = {name: [] for name in SUBJECTS}
    with tempfile.TemporaryDirectory() as name:
        root, warm, made = Path(name, "tree"), Path(name, "warm"), 0
        grow(warm, 0, WARM)
        for size in sorted(sizes):
            grow(root, made, size)
            made = size
            for subject, taken in found.items():
                if subject in ALL_SIZES or size <= decoded:
                    file = Path(name, "point.json")
                    words = ["--inside", subject, str(root), str(warm), str(size), str(file)]
                    command = [sys.executable, "-m", "tools.bench.growth", *words]
                    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                    taken.append(Point(*json.loads(file.read_text())))
    return found


def figures(found: Mapping[str, Sequence[Point]]) -> list[Figure]:
    """Time per pair and memory per file of every subject, the largest size beside the smallest."""
    told = []
    for subject, taken in found.items():
        if len(taken) < 2:
            continue
        small, large = taken[0], taken[-1]
        each = [1e6 * point.seconds / point.files for point in (small, large)]
        sizes = f"{large.files:,} pairs beside {small.files:,}"
        spent = ", ".join(f"{point.files:,}: {point.seconds:.2f} s" for point in taken)
        told.append(Figure(
            PART, f"{subject}: time of a core per pair, {sizes}", each[1], "µs", each[1] / each[0],
            f"{small.files:,} pairs", each[0], LINEAR, "at most", spent,
        ))  # fmt: skip
        grown = max(0.0, (large.memory - small.memory) / (large.files - small.files)) / 2
        held = ", ".join(f"{point.files:,}: {point.memory / 1e6:.1f} MB" for point in taken)
        told.append(Figure(
            PART, f"{subject}: memory for every further file, up to {large.files:,} pairs", grown, "bytes",
            grown, bound=FILE, sense="at most", note=held,
        ))  # fmt: skip
    return told


def plot(found: Mapping[str, Sequence[Point]]) -> str:
    """Seconds and megabytes against the number of pairs, as SVG."""
    from matplotlib.figure import Figure as Drawing

    from segda.report import charts

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # fonts for formulas, of which there are none
    drawing = Drawing(figsize=(7.4, 3.2), layout="constrained")
    for axes, what in zip(drawing.subplots(1, 2), ("seconds of a core", "megabytes"), strict=True):
        for position, (subject, taken) in enumerate(found.items()):
            values = [point.seconds if what != "megabytes" else point.memory / 1e6 for point in taken]
            axes.plot(
                [point.files for point in taken], values, marker="o", markersize=3, label=subject,
                color=charts.colour(position),
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log" if what != "megabytes" else "linear")
        axes.set_xlabel("pairs of files")
        axes.set_title(what)
        charts.plain(axes, "y")
    drawing.axes[0].legend(frameon=False)
    return charts.to_svg(drawing, "growth")


def main() -> int:
    """Measure and print."""
    if sys.argv[1:2] == ["--inside"]:
        subject, root, warm, files, file = sys.argv[2:]
        Path(file).write_text(json.dumps(inside(subject, Path(root), Path(warm), int(files))))
        return 0
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pairs of files (1000 to 100000)")
    parser.add_argument("--decoded", type=int, default=DECODED, help="most pairs for what decodes them (25000)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the growth as SVG")
    figure.add_arguments(parser)
    given = parser.parse_args()
    found = points(given.sizes, given.decoded)
    if given.plot is not None:
        given.plot.write_text(plot(found))
    figure.tell(figures(found), given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
