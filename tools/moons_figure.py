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
from sklearn.linear_model import LogisticRegression

from pipelines.commands.arguments import finished_rows
from pipelines.definition.schema import DataConfig
from pipelines.networks import load_networks
from pipelines.training.open_data import data_root, open_dataset
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

    xy: np.ndarray
    labels: np.ndarray


class Learnt(NamedTuple):
    """What a row's networks say of any points `[N, 2]`: features `[N, C]`, class `[N]`, which domain `[N]`."""

    networks: Networks
    features: Callable[[np.ndarray], np.ndarray]
    classes: Callable[[np.ndarray], np.ndarray]
    is_target: Callable[[np.ndarray], np.ndarray]
    domain_from: str


def main() -> int:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a finished run's name or lock file")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where results lie (./runs)")
    parser.add_argument("--row", action="append", default=[], help="draw this row alone; repeatable")
    parser.add_argument("--out", type=Path, default=Path("moons.png"), help="the file to write (./moons.png)")
    args = parser.parse_args()
    try:
        write_whole(args.out, to_png(draw(args.run, args.runs, args.row), 160))
    except SegdaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(args.out)
    return 0


def draw(run: str, runs: Path, names: list[str]) -> Figure:
    """The figure: four panels a row.

    Raises:
        ArtefactError: no such run or row.
        DataError: its data are no points of a plane.
    """
    store, run = Store(runs).locate(run)
    rows = finished_rows(store, run, names)
    datasets = both_domains(store, run)
    source, target = (points_of(dataset) for dataset in datasets)
    figure = Figure(figsize=(12.4, 3.25 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), 4, squeeze=False)
    for axes, (row, (folder, manifest)) in zip(grid, rows.items(), strict=True):
        learnt = load(folder, manifest, source, target)
        features, _ = principal_components(learnt.features(np.concatenate([source.xy, target.xy])))
        cut = len(source.xy)
        scatter(axes[1], Points(features[:cut], source.labels), Points(features[cut:], target.labels))
        for panel in axes[[0, 2, 3]]:
            scatter(panel, source, target)
        boundaries(axes[0], learnt.classes, around(axes[0], source, target), len(SOURCE))
        boundaries(axes[2], learnt.is_target, around(axes[2], source, target), 2)
        hidden_units(axes[3], learnt.networks, around(axes[3], source, target))
        titles = ("label", "features, PCA", f"domain ({learnt.domain_from})", "hidden units")
        for panel, title in zip(axes, titles, strict=True):
            panel.set_title(title, fontsize=10)
            panel.set(xticks=[], yticks=[])
        correct = np.mean(learnt.classes(target.xy) == target.labels)
        axes[0].set_ylabel(f"{row}\n{correct:.0%} of the target right", fontsize=11)
    handles = [
        Line2D([], [], color=colour, marker=mark, linestyle="", label=f"source: {label}")
        for colour, mark, label in zip(SOURCE, MARKS, datasets[0].space.classes, strict=False)
    ]
    handles.append(Line2D([], [], color="black", marker=".", linestyle="", label="target"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def both_domains(store: Store, run: str) -> list[Dataset]:
    """Source and target of the run's first adapting stage."""
    lock = store.read_lock(run)
    for stage in lock["config"]["stages"].values():
        if isinstance(stage.get("source"), dict) and isinstance(stage.get("target"), dict):
            return [opened(store, lock, DataConfig.model_validate(stage[name])) for name in ("source", "target")]
    raise ArtefactError(f"{run}: no stage with source and target, such as align; name a run that adapts")


def opened(store: Store, lock: dict[str, Any], data: DataConfig) -> Dataset:
    """A data set of the run: one of a stage, or one that lies elsewhere."""
    if isinstance(data.root, str):
        root = data_root(data)
    else:
        root = store.root / (lock["stages"][data.root.stage]["folder"] or "") / (data.root.output or "")
    return open_dataset(data, lock["config"]["task"]["labels"], root, True)


def points_of(dataset: Dataset) -> Points:
    """All points of a data set."""
    xy, labels = [], []
    for index in range(len(dataset)):
        image, label = dataset.read(index)
        if image.shape != (1, 1, 3) or label is None or label.ndim:
            raise DataError(f"{dataset.root}: data set {dataset.name!r} holds no points; name a run such as moons")
        xy.append(image[0, 0, :2])
        labels.append(int(label))
    return Points(np.stack(xy), np.array(labels))


def load(folder: Path, manifest: Manifest, source: Points, target: Points) -> Learnt:
    """A finished stage's networks; where no discriminator was published, a linear one is fitted to its features."""
    published = (folder / "networks" / "discriminator.feature.safetensors").is_file()
    names = ("encoder", "head", *(("discriminator",) if published else ()))
    networks = load_networks(folder, manifest.config, names, torch.device("cpu"))

    def z(xy: np.ndarray) -> list[torch.Tensor]:
        image = torch.zeros(len(xy), 3, 1, 1)
        image[:, :2, 0, 0] = torch.from_numpy(np.ascontiguousarray(xy, dtype=np.float32))
        return networks.encode(image, "target")

    @torch.inference_mode()
    def features(xy: np.ndarray) -> np.ndarray:
        return z(xy)[-1].mean(dim=(2, 3)).numpy()

    @torch.inference_mode()
    def classes(xy: np.ndarray) -> np.ndarray:
        return networks.classify(z(xy)).mean(dim=(2, 3)).argmax(dim=1).numpy()

    @torch.inference_mode()
    def is_target(xy: np.ndarray) -> np.ndarray:
        return networks.discriminate("feature", z(xy)[-1]).realness.mean(dim=(1, 2, 3)).numpy() > 0

    if published:
        return Learnt(networks, features, classes, is_target, "discriminator")
    both = features(np.concatenate([source.xy, target.xy]))
    domains = np.repeat([0, 1], [len(source.xy), len(target.xy)])
    line = LogisticRegression(C=100.0, max_iter=5000).fit(both, domains)
    return Learnt(networks, features, classes, lambda xy: line.predict(features(xy)), "fitted to the features")


def around(axes: Axes, source: Points, target: Points) -> tuple[np.ndarray, np.ndarray]:
    """Limits of a panel with all points in it, and the grid `[H, W]` of points that it is drawn on."""
    both = np.concatenate([source.xy, target.xy])
    margin = 0.12 * np.ptp(both, axis=0)
    low, high = both.min(axis=0) - margin, both.max(axis=0) + margin
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
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
    axes.scatter(target.xy[:, 0], target.xy[:, 1], s=5, c="black", alpha=0.55, linewidths=0)
    for label in np.unique(source.labels):
        chosen = source.xy[source.labels == label]
        kind = int(label) % len(SOURCE)
        axes.scatter(chosen[:, 0], chosen[:, 1], s=20, c=SOURCE[kind], marker=MARKS[kind], linewidths=1.1)


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
