"""Features of both domains in a plane by PCA and t-SNE: the colour is the class, the marker the domain."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from segda.errors import DataError
from segda.label_space import LabelSpace
from segda.report.charts import inked, verbatim

_UNLABELLED = "#9a9fa8"
_MARKERS = {"source": "o", "target": "x"}
_NAMED_CLASSES = 24  # a legend of more would be larger than the figure
_FEWEST = 4
_Where = Literal["outside upper center", "outside lower center"]


class Panel(NamedTuple):
    """The features of one network, float `[N, C]` and `[M, C]`, and int class indices, the ignore index for none."""

    title: str
    source: np.ndarray
    source_label: np.ndarray
    target: np.ndarray
    target_label: np.ndarray


def principal_components(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project vectors `[N, C]` on the two directions of their largest variance; with C of 1 the second is zeros.

    Returns:
        The projections `[N, 2]`, each with its largest deviation on the positive side, and the share of the variance
        that each direction has, `[2]`.
    """
    centred = vectors - vectors.mean(axis=0)
    left, size, _ = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    projected, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    rank = min(2, len(size))
    projected[:, :rank] = left[:, :rank] * size[:rank]
    # The sign of a direction is arbitrary; a figure should not depend on the linear algebra library.
    projected *= np.where(projected[np.abs(projected).argmax(axis=0), np.arange(2)] < 0, -1, 1)
    shares[:rank] = size[:rank] ** 2 / max(float((size**2).sum()), 1e-300)
    return projected, shares


def neighbours(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """The t-SNE of vectors `[N, C]`: a plane `[N, 2]` that keeps neighbours, started from the principal components.

    Source: van der Maaten and Hinton 2008, by scikit-learn.
    """
    from sklearn.manifold import TSNE

    start, _ = principal_components(vectors)
    deviation = start[:, 0].std()
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init=start / (deviation or 1.0) * 1e-4, random_state=seed)
    plane: np.ndarray = tsne.fit_transform(vectors.astype(np.float32))
    return plane


def figure(panels: Sequence[Panel], space: LabelSpace, seed: int = 0) -> Figure:
    """PCA above and t-SNE below, a column for each panel; all panels are of the same images.

    Raises:
        DataError: there is no panel, or one has too few vectors or vectors that are not finite.
    """
    if not panels:
        raise DataError("embedding: no features; give at least one network's")
    drawn = Figure(figsize=(3.7 * len(panels), 7.2), layout="constrained")
    axes = drawn.subplots(2, len(panels), squeeze=False)
    for column, panel in enumerate(panels):
        vectors = np.concatenate([panel.source, panel.target])
        labels = np.concatenate([panel.source_label, panel.target_label])
        if len(vectors) < _FEWEST or not np.isfinite(vectors).all():
            wrong = f"only {len(vectors)} vectors" if len(vectors) < _FEWEST else "vectors that are not finite"
            raise DataError(f"embedding of {panel.title!r}: {wrong}; give at least {_FEWEST} finite ones")
        is_target = np.arange(len(vectors)) >= len(panel.source)
        projected, shares = principal_components(vectors)
        _scatter(axes[0, column], projected, labels, is_target, space)
        axes[0, column].set_title(f"{panel.title}: PCA, {shares.sum():.0%} of the variance", fontsize=9)
        _scatter(axes[1, column], neighbours(vectors, seed), labels, is_target, space)
        axes[1, column].set_title(f"{panel.title}: t-SNE", fontsize=9)
    _legend(drawn, panels, space)
    inked(drawn)
    return drawn


def _scatter(axes: Axes, plane: np.ndarray, labels: np.ndarray, is_target: np.ndarray, space: LabelSpace) -> None:
    colours = np.full((256, 3), int(_UNLABELLED[1:3], 16) / 255)
    colours[: space.count] = np.array(space.palette) / 255
    size = float(np.clip(4000 / len(plane), 5, 22))
    for domain, rows, alpha, line in (("source", ~is_target, 0.55, 0), ("target", is_target, None, 0.8)):
        x, y = plane[rows].T
        axes.scatter(x, y, size, colours[labels[rows]], marker=_MARKERS[domain], alpha=alpha, linewidths=line)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.04)
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_color("#8a8f98")


def _legend(drawn: Figure, panels: Sequence[Panel], space: LabelSpace) -> None:
    """Above, the markers of the domains; below, the colours of the classes that occur unless there are too many."""
    labels = np.unique(np.concatenate([labels for p in panels for labels in (p.source_label, p.target_label)]))
    present = [int(label) for label in labels if label < space.count]
    domains = [Line2D([], [], color="#8a8f98", marker=marker, linestyle="", label=domain, markersize=5)
               for domain, marker in _MARKERS.items()]  # fmt: skip
    classes = []
    for label in present if len(present) <= _NAMED_CLASSES else ():
        colour = "#{:02x}{:02x}{:02x}".format(*space.palette[label])
        name = space.classes[label]
        classes.append(Line2D([], [], color=colour, marker="s", linestyle="", label=name, markersize=6))
    rows: list[tuple[list[Line2D], _Where]] = [(domains, "outside upper center"), (classes, "outside lower center")]
    for handles, where in rows:
        if handles:
            # matplotlib does not wrap a legend: a letter is about 5 points wide, a panel 266.
            longest = max(len(str(handle.get_label())) for handle in handles)
            columns = max(1, min(len(handles), int(266 * len(panels) / (5 * longest + 22))))
            verbatim(drawn.legend(
                handles=handles, loc=where, ncols=columns, frameon=False, fontsize=8,
                handlelength=1.0, handletextpad=0.3, columnspacing=1.2,
            ))  # fmt: skip
