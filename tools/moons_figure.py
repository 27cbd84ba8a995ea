"""Draw what networks for the intertwining moons have learnt, in the four panels of the DANN paper's figure 2.

    segda run moons
    python tools/moons_figure.py moons --out moons.png               # every row of the run's evaluation
    python tools/moons_figure.py runs/moons.lock.json --row DANN

From left to right: the boundary between the classes; the features in the plane of their principal components; the
boundary between the domains, by the discriminator where the stage published one, else by a linear one that is fitted to
the finished features; and for each unit of the first layer the line where it is 0. Points of the source are coloured by
class, points of the target are black.

Source: Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016, section 5.1.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
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
from segda.report.charts import to_png
from segda.report.embedding import principal_components

SOURCE = ("#d62728", "#2ca02c", "#1f77b4", "#ff7f0e")
MARKS = ("+", "_", "x", "|")
RESOLUTION = 200


class Points(NamedTuple):
    """Points of the plane, float `[N, 2]` in [-1, 1], and their classes `[N]`."""

    xy: np.ndarray
    labels: np.ndarray


class Outputs(NamedTuple):
    """Outputs of a row's networks for `N` points; the domain is the discriminator's that `domain_from` names."""

    features: np.ndarray  # [N, C]
    classes: np.ndarray  # [N]
    is_target: np.ndarray  # [N]
    domain_from: str
    hidden: np.ndarray  # [N, U], of the first layer's units


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
    points, cut = np.concatenate([source.xy, target.xy]), len(source.xy)
    margin = 0.12 * np.ptp(points, axis=0)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    x, y = np.meshgrid(*np.linspace(low, high, RESOLUTION).T)
    figure = Figure(figsize=(12.4, 3.25 * len(rows) + 0.4), layout="constrained")
    panels = figure.subplots(len(rows), 4, squeeze=False)
    for axes, (row, (folder, manifest)) in zip(panels, rows.items(), strict=True):
        outputs = outputs_of(folder, manifest, np.concatenate([points, np.stack([x.ravel(), y.ravel()], axis=1)]), cut)
        plane, _ = principal_components(outputs.features[: len(points)])
        features = Points(plane[:cut], source.labels), Points(plane[cut:], target.labels)
        classes, is_target, hidden = (
            np.moveaxis(each[len(points) :].reshape(*x.shape, -1), -1, 0)
            for each in (outputs.classes, outputs.is_target, outputs.hidden)
        )
        titles = ("label", "features, PCA", f"domain ({outputs.domain_from})", "hidden units")
        for panel, title in zip(axes, titles, strict=True):
            scatter(panel, *(features if panel is axes[1] else (source, target)), datasets[0].space.classes)
            panel.set_title(title, fontsize=10)
            panel.set(xticks=[], yticks=[])
            if panel is not axes[1]:
                panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        for number in range(classes.max()):
            contours(axes[0], x, y, (classes > number) - 0.5, colors="#111317", linewidths=1.6)
        contours(axes[2], x, y, is_target - 0.5, colors="#111317", linewidths=1.6)
        contours(axes[3], x, y, hidden, colors="#0072b2", linewidths=0.9, linestyles="solid", alpha=0.8)
        correct = np.mean(outputs.classes[cut : len(points)] == target.labels)
        axes[0].set_ylabel(f"{row}\n{correct:.0%} of the target right", fontsize=11)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(handles), frameon=False)
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


@torch.inference_mode()
def outputs_of(folder: Path, manifest: Manifest, xy: np.ndarray, cut: int) -> Outputs:
    """The outputs of a finished stage's networks for points, the first `cut` of which are the source's."""
    published = (folder / "networks" / "discriminator.feature.safetensors").is_file()
    names = ("encoder", "head", *(("discriminator",) if published else ()))
    networks = load_networks(folder, manifest.config, names, torch.device("cpu"))
    image = torch.zeros(len(xy), 3, 1, 1)
    image[:, :2, 0, 0] = torch.from_numpy(xy)
    encoders = [module for name, module in networks.modules.items() if name.split(".")[0] == "encoder"]
    first = next(layer for layer in encoders[-1].modules() if isinstance(layer, torch.nn.Conv2d))
    maps = networks.encode(image, "target")
    features = maps[-1].mean(dim=(2, 3)).numpy()
    classes = networks.classify(maps).mean(dim=(2, 3)).argmax(dim=1).numpy()
    if published:
        is_target = networks.discriminate("feature", maps[-1]).realness.mean(dim=(1, 2, 3)).numpy() > 0
    else:
        count = len(xy) - RESOLUTION**2
        fitted = LogisticRegression(C=100.0, max_iter=5000).fit(features[:count], np.arange(count) >= cut)
        is_target = fitted.predict(features)
    hidden = first(image).mean(dim=(2, 3)).numpy()
    return Outputs(features, classes, is_target, "discriminator" if published else "fitted to the features", hidden)


def contours(axes: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, **style: Any) -> None:
    """The line where values are 0, for each of `[N, H, W]`."""
    for each in values:
        if each.min() < 0 < each.max():
            axes.contour(x, y, each, levels=[0.0], **style)


def scatter(axes: Axes, source: Points, target: Points, classes: Sequence[str]) -> None:
    """The points: source by class, target black."""
    axes.scatter(*target.xy.T, s=5, c="black", alpha=0.55, linewidths=0, label="target")
    for label in np.unique(source.labels):
        chosen, name = source.xy[source.labels == label], f"source: {classes[label]}"
        axes.scatter(*chosen.T, s=20, c=SOURCE[label], marker=MARKS[label], linewidths=1.1, label=name)


if __name__ == "__main__":
    sys.exit(main())
