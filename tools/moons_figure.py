"""Draw what networks for the intertwining moons have learnt, in the four panels of the DANN paper's figure 2.

    segda run moons
    python tools/moons_figure.py moons --out moons.png               # every row of the run's evaluation
    python tools/moons_figure.py runs/moons.lock.json --row DANN

From left to right: where the label changes; the features in the plane of their principal components; where the domain
classifier changes its mind, which is the discriminator where the stage published one, else a linear one that was fitted
to the finished features; and the line along which each unit of the first layer is half on. Points of the source are
coloured by class, points of the target are black.

Source: Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016, section 5.1.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipelines import plan, training
from pipelines.command.rows import rows_of
from pipelines.stage import Data
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.data.dataset import Dataset
from segda.errors import ArtefactError, DataError, SegdaError
from segda.files import write_whole
from segda.networks.networks import Networks
from segda.report.charts import to_png
from segda.report.embedding import principal_components

SOURCE = ("#d62728", "#2ca02c", "#1f77b4", "#ff7f0e")
MARKS = ("+", "_", "x", "|")
LINE = "#111317"
RESOLUTION = 200


class Points(NamedTuple):
    """Points of the plane, float `[N, 2]` in [-1, 1], and their classes `[N]`."""

    places: np.ndarray
    labels: np.ndarray


class Learnt(NamedTuple):
    """What a row's networks say of any points `[N, 2]`: features `[N, C]`, class `[N]`, which domain `[N]`."""

    networks: Networks
    features: Callable[[np.ndarray], np.ndarray]
    classes: Callable[[np.ndarray], np.ndarray]
    is_target: Callable[[np.ndarray], np.ndarray]
    judge: str


def main() -> int:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a finished run's name or lock file, or a folder with one run")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where results lie (./runs)")
    parser.add_argument("--row", action="append", default=[], help="draw this row alone; repeatable")
    parser.add_argument("--out", type=Path, default=Path("moons.png"), help="the file to write (./moons.png)")
    given = parser.parse_args()
    try:
        write_whole(given.out, to_png(draw(given.run, given.runs, given.row), 160))
    except SegdaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(given.out)
    return 0


def draw(run: str, runs: Path, wanted: list[str]) -> Figure:
    """The figure: four panels a row.

    Raises:
        ArtefactError: no such run or row.
        DataError: its data are no points of a plane.
    """
    store, name = located(run, runs)
    datasets = both_domains(store, name)
    source, target = (points_of(dataset) for dataset in datasets)
    rows = rows_of(store, name, wanted)
    figure = Figure(figsize=(12.4, 3.25 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), 4, squeeze=False)
    for axes, (row, (folder, manifest)) in zip(grid, rows.items(), strict=True):
        learnt = load(folder, manifest, source, target)
        boundaries(axes[0], learnt.classes, around(axes[0], source, target), len(SOURCE))
        scatter(axes[0], source, target)
        components(axes[1], learnt, source, target)
        boundaries(axes[2], learnt.is_target, around(axes[2], source, target), 2)
        scatter(axes[2], source, target)
        hidden_units(axes[3], learnt.networks, around(axes[3], source, target))
        scatter(axes[3], source, target)
        titles = ("label", "features, PCA", f"domain ({learnt.judge})", "hidden units")
        for panel, title in zip(axes, titles, strict=True):
            panel.set_title(title, fontsize=10)
            panel.set_xticks([])
            panel.set_yticks([])
        right = np.mean(learnt.classes(target.places) == target.labels)
        axes[0].set_ylabel(f"{row}\n{right:.0%} of the target right", fontsize=11)
    handles = [
        Line2D([], [], color=colour, marker=mark, linestyle="", label=f"source: {label}")
        for colour, mark, label in zip(SOURCE, MARKS, datasets[0].space.classes, strict=False)
    ]
    handles.append(Line2D([], [], color="black", marker=".", linestyle="", label="target"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def located(run: str, runs: Path) -> tuple[Store, str]:
    """The store and the run that a user means by a name, a lock file or a folder of one run."""
    if not Path(run).is_dir():
        return Store(runs).locate(run)
    names = Store(Path(run)).runs()
    if len(names) != 1:
        raise ArtefactError(f"{run}: holds {len(names)} runs; name one: RUN --runs {run}")
    return Store(Path(run)), names[0]


def both_domains(store: Store, run: str) -> tuple[Dataset, Dataset]:
    """Source and target of the run's first adapting stage."""
    lock = store.read_lock(run)
    for stage in lock["config"]["stages"].values():
        if isinstance(stage.get("source"), dict) and isinstance(stage.get("target"), dict):
            labels = lock["config"]["task"]["labels"]
            return (opened(store, lock, stage["source"], labels), opened(store, lock, stage["target"], labels))
    raise ArtefactError(f"{run}: no stage with source and target, such as align; name a run that adapts")


def opened(store: Store, lock: dict[str, Any], config: dict[str, Any], labels: str) -> Dataset:
    """A data set of the run, wherever its root is."""
    data = Data.model_validate(config)
    if isinstance(data.root, str):
        return plan.open_data(data, labels, plan.data_root(data), True)
    folder = store.root / (lock["stages"][data.root.stage]["folder"] or "")
    return plan.open_data(data, labels, folder / (data.root.output or ""), True)


def points_of(dataset: Dataset) -> Points:
    """All points of a data set."""
    places, labels = [], []
    for index in range(len(dataset)):
        image, label = dataset.read(index)
        if image.shape != (1, 1, 3) or label is None or label.ndim:
            raise DataError(f"{dataset.root}: data set {dataset.name!r} holds no points; name a run such as moons")
        places.append(image[0, 0, :2])
        labels.append(int(label))
    return Points(np.stack(places), np.array(labels))


def load(folder: Path, manifest: Manifest, source: Points, target: Points) -> Learnt:
    """A finished stage's networks; where no discriminator was published, a linear one is fitted to its features."""
    published = (folder / "networks" / "discriminator.feature.safetensors").is_file()
    wanted = ("encoder", "head", *(("discriminator",) if published else ()))
    networks = training.networks_of(folder, manifest.config, wanted, torch.device("cpu"))

    @torch.inference_mode()
    def z(places: np.ndarray) -> list[torch.Tensor]:
        image = torch.zeros(len(places), 3, 1, 1)
        image[:, :2, 0, 0] = torch.from_numpy(np.ascontiguousarray(places, dtype=np.float32))
        return networks.encode(image, "target")

    def vectors(places: np.ndarray) -> np.ndarray:
        return z(places)[-1].mean(dim=(2, 3)).numpy()

    @torch.inference_mode()
    def classes(places: np.ndarray) -> np.ndarray:
        return networks.classify(z(places)).mean(dim=(2, 3)).argmax(dim=1).numpy()

    @torch.inference_mode()
    def judged(places: np.ndarray) -> np.ndarray:
        return networks.judge("feature", z(places)[-1]).realness.mean(dim=(1, 2, 3)).numpy() > 0

    if published:
        return Learnt(networks, vectors, classes, judged, "discriminator")
    from sklearn.linear_model import LogisticRegression

    both = np.concatenate([source.places, target.places])
    domain = np.repeat([0, 1], [len(source.places), len(target.places)])
    fitted = LogisticRegression(C=100.0, max_iter=5000).fit(vectors(both), domain)
    return Learnt(networks, vectors, classes, lambda at: fitted.predict(vectors(at)), "fitted to the features")


def around(axes: Axes, source: Points, target: Points) -> tuple[np.ndarray, np.ndarray]:
    """Limits of a panel with all points in it, and the grid `[H, W]` of places that it is drawn on."""
    both = np.concatenate([source.places, target.places])
    margin = 0.12 * np.ptp(both, axis=0)
    low, high = both.min(axis=0) - margin, both.max(axis=0) + margin
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    x, y = np.meshgrid(np.linspace(low[0], high[0], RESOLUTION), np.linspace(low[1], high[1], RESOLUTION))
    return x, y


def boundaries(
    axes: Axes, answer: Callable[[np.ndarray], np.ndarray], grid: tuple[np.ndarray, np.ndarray], count: int
) -> None:
    """A line wherever the answer, whole numbers below `count`, changes."""
    x, y = grid
    values = answer(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape).astype(float)
    for number in range(count - 1):
        above = (values > number).astype(float)
        if above.min() < above.max():
            axes.contour(x, y, above, levels=[0.5], colors=LINE, linewidths=1.6)


def scatter(axes: Axes, source: Points, target: Points) -> None:
    """The points: source by class, target black."""
    axes.scatter(target.places[:, 0], target.places[:, 1], s=5, c="black", alpha=0.55, linewidths=0)
    for label in np.unique(source.labels):
        chosen = source.places[source.labels == label]
        kind = int(label) % len(SOURCE)
        axes.scatter(chosen[:, 0], chosen[:, 1], s=20, c=SOURCE[kind], marker=MARKS[kind], linewidths=1.1)


def components(axes: Axes, learnt: Learnt, source: Points, target: Points) -> None:
    """The features of both domains in the plane of their first two principal components."""
    plane, _ = principal_components(learnt.features(np.concatenate([source.places, target.places])))
    cut = len(source.places)
    scatter(axes, Points(plane[:cut], source.labels), Points(plane[cut:], target.labels))


def hidden_units(axes: Axes, networks: Networks, grid: tuple[np.ndarray, np.ndarray]) -> None:
    """The line `w x + b = 0` of every unit of the encoder's first layer."""
    encoders = [module for name, module in networks.modules.items() if name.split(".")[0] == "encoder"]
    layers = [part for part in encoders[-1].modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Linear)]
    weight = layers[0].weight.detach().flatten(1)[:, :2].numpy()
    bias = np.zeros(len(weight)) if layers[0].bias is None else layers[0].bias.detach().numpy()
    x, y = grid
    for (across, up), offset in zip(weight, bias, strict=True):
        values = across * x + up * y + offset
        if values.min() < 0 < values.max():
            axes.contour(x, y, values, levels=[0.0], colors="#0072b2", linewidths=0.9, linestyles="solid", alpha=0.8)


if __name__ == "__main__":
    sys.exit(main())
