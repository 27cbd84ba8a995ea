"""Time and memory against the number of files: index with fingerprint, plan, check, evaluate, and pack.

A tree in Cityscapes' layout grows from size to size: hard links to one pair of 16x32 pixels. Each subject runs in a
process of its own at each size, first on a few files to be warm. Time is that of the processor; small trees are
measured several times, and the median counts. Memory is by how much the peak of the process is above what it held
before. Index and plan are measured at all sizes, the others, which decode every file, up to `decoded` pairs.
"""

import gc
import logging
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure as Drawing

from pipelines.__main__ import main
from pipelines.definition import loading
from pipelines.planning.plan import make_plan
from segda import label_space
from segda.artefacts.store import Store
from segda.data.check import check as check_dataset
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.data.readers import cityscapes
from segda.evaluation.evaluate import evaluate as evaluate_networks
from segda.report import charts
from segda.tasks import segmentation
from tools.bench.harness import ROOT, Figure, in_fresh_process, seconds
from tools.bench.inputs import Constant, cityscapes_pairs, png, write_job

LINEAR, FILE = 1.3, 1024.0
SIZE = (16, 32)
WARM = 20
SEVERAL = 5000  # smaller trees are measured so often that as many pairs are seen


class Point(NamedTuple):
    """One subject at one size: seconds of a core, and bytes above what the process held before."""

    files: int
    seconds: float
    memory: int


def grow(root: Path, numbers: Sequence[int]) -> None:
    """Add pairs to the tree below `root`."""
    pixels = np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE)
    cityscapes_pairs(root, "train", numbers, png(np.dstack([pixels] * 3)), png(pixels % 34))


def opened(root: Path) -> Dataset:
    """The tree as a data set."""
    return cityscapes.build(root, label_space.load("cityscapes"))


def job(root: Path) -> str:
    """A pipeline of two stages on the tree, next to it."""
    data = {"name": "cityscapes", "root": str(root), "resize": SIZE}
    networks = {"encoder": {"name": "small"}, "head": {"name": "small"}}
    stage = {"kind": "supervise", "data": data, "method": "oracle", "networks": networks, "steps": 1}
    scores = {"kind": "evaluate", "data": data, "rows": {"it": {"from": "network"}}}
    return write_job(root.parent, {"network": stage, "scores": scores})


def index(root: Path) -> object:
    """Find, pair and fingerprint all files."""
    dataset = opened(root)
    return dataset, fingerprint(dataset)


def plan(root: Path) -> object:
    """What `segda run --plan` does for a job on the data set."""
    return make_plan(loading.load(job(root)), Store(root.parent / "runs"))


def check(root: Path) -> object:
    """What `segda check` does."""
    return check_dataset(opened(root))


def evaluate(root: Path) -> object:
    """What `segda evaluate` does but for the networks, which say `sky` everywhere."""
    logits = torch.zeros(1, 19, 2, 4)
    logits[:, 10] = 1
    return evaluate_networks(Constant(logits), opened(root), segmentation.build(label_space.load("cityscapes")))


def pack(root: Path) -> object:
    """What `segda pack` does for a job on the data set."""
    runs = tempfile.mkdtemp(dir=root.parent)
    with redirect_stdout(StringIO()):
        if main(["pack", job(root), "--runs", runs]) != 0:
            raise RuntimeError("segda pack failed")
    return runs


SUBJECTS: dict[str, Callable[[Path], object]] = {
    "index": index, "plan": plan, "check": check, "evaluate": evaluate, "pack": pack
}  # fmt: skip
ALL_SIZES = ("index", "plan")


def inside(subject: str, root: Path, warm: Path, files: int) -> Point:
    """Measure a subject in this process."""
    torch.set_num_threads(1)
    work = SUBJECTS[subject]
    work(warm)
    gc.collect()
    before = _resident("VmRSS")
    spent: list[float] = []
    results: list[object] = []  # what the last call returned is part of what it takes
    for _ in range(max(1, SEVERAL // files)):
        results.clear()
        gc.collect()
        spent.append(seconds(lambda: results.append(work(root))).cores)
    return Point(files, statistics.median(spent), max(0, _resident("VmHWM") - before))


def _resident(what: str) -> int:
    """Bytes of this process that are in memory: now (`VmRSS`), or at most (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def points(sizes: Sequence[int], decoded: int) -> dict[str, list[Point]]:
    """Every subject at every size that it is taken at."""
    taken: dict[str, list[Point]] = {name: [] for name in SUBJECTS}
    with tempfile.TemporaryDirectory() as name:
        root, warm = Path(name, "tree"), Path(name, "warm")
        grow(warm, range(WARM))
        for before, size in pairwise([0, *sorted(sizes)]):
            grow(root, range(before, size))
            for subject, each in taken.items():
                if subject in ALL_SIZES or size <= decoded:
                    each.append(in_fresh_process(inside, subject, root, warm, size))
    return taken


def figures(taken: Mapping[str, Sequence[Point]]) -> list[Figure]:
    """Time per pair and memory per file of every subject, the largest size and the smallest."""
    figures = []
    for subject, each in taken.items():
        small, large = each[0], each[-1]
        slow, fast = (1e6 * point.seconds / point.files for point in (large, small))
        grown = max(0.0, (large.memory - small.memory) / (large.files - small.files)) / 2
        spent = ", ".join(f"{point.files:,}: {point.seconds:.2f} s" for point in each)
        held = ", ".join(f"{point.files:,}: {point.memory / 1e6:.1f} MB" for point in each)
        what = f"{subject}: time of a core per pair, {large.files:,} pairs against {small.files:,}"
        other = f"{small.files:,} pairs"
        figures.append(Figure(what, slow, "µs", slow / fast, other, fast, LINEAR, "at most", spent))
        what = f"{subject}: memory for every further file, up to {large.files:,} pairs"
        figures.append(Figure(what, grown, "bytes", grown, bound=FILE, sense="at most", note=held))
    return figures


def plot(taken: Mapping[str, Sequence[Point]]) -> str:
    """Seconds and megabytes against the number of pairs, as SVG."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # fonts for formulas, of which there are none
    drawing = Drawing(figsize=(7.4, 3.2), layout="constrained")
    left, right = drawing.subplots(1, 2)
    for position, (subject, each) in enumerate(taken.items()):
        files = [point.files for point in each]
        style = {"marker": "o", "markersize": 3, "label": subject, "color": charts.colour(position)}
        left.plot(files, [point.seconds for point in each], **style)
        right.plot(files, [point.memory / 1e6 for point in each], **style)
    for axes, what, scale in ((left, "seconds of a core", "log"), (right, "megabytes", "linear")):
        axes.set(xscale="log", yscale=scale, xlabel="pairs of files", title=what)
        charts.plain(axes, "y")
    left.legend(frameon=False)
    return charts.to_svg(drawing, "growth")


def measure(sizes: tuple[int, ...] = (1000, 10_000, 25_000, 100_000), decoded: int = 25_000) -> list[Figure]:
    """Time and memory of every subject, also drawn as docs/growth.svg."""
    taken = points(sizes, decoded)
    (ROOT / "docs" / "growth.svg").write_text(plot(taken))
    return figures(taken)
