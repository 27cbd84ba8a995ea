"""Charts: the per-class bars of a table, and the curves of a training log, as SVG for a page or PNG for a file."""

import io
import json
import math
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from segda.report.table import ScoreTable

COLOURS = (
    "#8a8f98", "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#b8a800",
    "#9c3d6e", "#7f6bd6", "#a0622d", "#3bb3a6",
)  # fmt: skip
"""One colour a stage, the first one grey. Every kind of colour vision distinguishes the first eight (after Okabe and
Ito); the others make a dozen."""

_INK = "#111317"  # what the page replaces by its own text colour
_POINTS = 300  # a curve of more steps is averaged into this many
_RATE = "learning_rate"


def bars(table: ScoreTable, *, legend: bool = True) -> Figure:
    """The score of every class in every column as horizontal bars; a line spans the seeds, no bar where absent.

    Without `legend`, a page says itself which colour is which column, from `colour`.
    """
    lines, columns = (*table.summary[:1], *table.classes), len(table.columns)
    thick = 0.84 / columns
    figure = Figure(figsize=(7.4, 0.9 + len(lines) * max(0.2, 0.085 * columns + 0.09)), layout="constrained")
    axes = figure.subplots()
    for index, name in enumerate(table.columns):
        cells = [(row + (index + 0.5) * thick - 0.42, line.cells[index]) for row, line in enumerate(lines)]
        present = [(y, cell) for y, cell in cells if cell is not None]
        scores = [100 * cell.mean for _, cell in present]
        axes.barh([y for y, _ in present], scores, height=0.9 * thick, color=colour(index), label=name)
        for y, cell in present:
            if len(cell.values) > 1:
                axes.plot([100 * min(cell.values), 100 * max(cell.values)], [y, y], color=_INK, linewidth=0.8)
    axes.set_yticks(range(len(lines)), [line.name for line in lines], parse_math=False)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.axhline(0.5, color=_INK, linewidth=0.6)
    axes.set_ylim(len(lines) - 0.45, -0.55)
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"{table.measure} in percent")
    axes.tick_params(axis="y", length=0)
    if legend:
        ncols = columns if sum(map(len, table.columns)) + 6 * columns < 90 else 2  # matplotlib does not wrap a legend
        verbatim(figure.legend(loc="outside upper center", ncols=ncols, frameon=False))
    plain(axes, grid="x")
    return figure


def colour(index: int) -> str:
    """The colour of a column's bars."""
    return COLOURS[index % len(COLOURS)]


def verbatim(legend: Legend) -> None:
    """Show a legend's names as they are: a `$` in one starts no formula."""
    for text in legend.get_texts():
        text.set_parse_math(False)


def curves(log: Path) -> Figure | None:
    """Every loss, measure and learning rate of a `log.jsonl` in a small chart of its own; `None` if there is none.

    The line is the mean of neighbouring steps, the band their extremes. Steps that were trained again after an
    interruption count once, as they were at last.
    """
    series = read_log(log)
    if not series:
        return None
    rows = math.ceil(len(series) / 3)
    figure = Figure(figsize=(7.4, 0.2 + 1.55 * rows), layout="constrained")
    for index, (name, points) in enumerate(series.items()):
        axes = figure.add_subplot(rows, 3, index + 1)
        steps, mean, low, high = _binned(points)
        axes.fill_between(steps, low, high, color=COLOURS[2], alpha=0.3, linewidth=0)
        axes.plot(steps, mean, color=COLOURS[6], linewidth=1.1, marker="." if len(steps) == 1 else "")
        axes.yaxis.set_major_locator(MaxNLocator(3))
        titled(axes, name.replace(".", ": ", 1).replace("_", " "), columns=3)
    return figure


def log_lines(log: Path) -> list[dict[str, Any]]:
    """The lines of a `log.jsonl`, without what a killed process left half-written; none if there is no such file."""
    lines = []
    for text in log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else ():
        with suppress(ValueError, TypeError, KeyError):
            line = json.loads(text)
            line["step"] = int(line["step"])
            lines.append(line)
    return lines


def read_log(log: Path) -> dict[str, list[tuple[int, float]]]:
    """The finite values of each loss, measure and learning rate of a training log, by step.

    Players whose learning rates are equal at every step share a series.
    """
    series: dict[str, dict[int, float]] = {}
    for line in log_lines(log):
        rates = {f"{_RATE}.{player}": rate for player, rate in line.get("learning_rate", {}).items()}
        for name, value in {**line.get("losses", {}), **line.get("measures", {}), **rates}.items():
            if isinstance(value, int | float) and math.isfinite(value):
                series.setdefault(name, {})[line["step"]] = float(value)
    curves = {name: sorted(points.items()) for name, points in series.items()}
    by_player = {name: points for name, points in curves.items() if name.startswith(f"{_RATE}.")}
    first = next(iter(by_player.values()), None)
    if first is not None and all(points == first for points in by_player.values()):
        curves = {name: points for name, points in curves.items() if name not in by_player} | {_RATE: first}
    return curves


def to_svg(figure: Figure, name: str) -> str:
    """A figure as an `<svg>` element for a page: text stays text and takes the page's colour.

    `name` makes the ids of the element unique, so that a page can have several.
    """
    output = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif"}):
        figure.savefig(output, format="svg", transparent=True, metadata={"Date": None})
    text = output.getvalue()
    return text[text.index("<svg") :].replace(_INK, "currentColor")


def to_png(figure: Figure, resolution: int = 144) -> bytes:
    """The figure as PNG on white, `resolution` in dots per inch."""
    output = io.BytesIO()
    figure.savefig(output, format="png", dpi=resolution, metadata={"Software": None})
    return output.getvalue()


def _binned(points: Sequence[tuple[int, float]]) -> tuple[np.ndarray, ...]:
    """Step, mean, minimum and maximum of at most `_POINTS` neighbourhoods."""
    steps, values = np.array([step for step, _ in points]), np.array([value for _, value in points])
    starts = np.unique(np.linspace(0, len(values), min(_POINTS, len(values)), endpoint=False).astype(int))
    counts = np.diff(np.append(starts, len(values)))
    mean = np.add.reduceat(values, starts) / counts
    return steps[starts], mean, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def titled(axes: Axes, title: str, columns: int = 2) -> None:
    """The style of a small chart over the steps of a training, one of `columns` in a row of the figure."""
    axes.set_title(textwrap.fill(title, 90 // columns), fontsize=8, loc="left", parse_math=False)
    axes.xaxis.set_major_locator(MaxNLocator(6 - columns, integer=True))
    axes.tick_params(labelsize=7)
    plain(axes, grid="y")


def plain(axes: Axes, grid: Literal["x", "y"]) -> None:
    """Light grid, no frame, ink that the page can exchange."""
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color="#8a8f98", alpha=0.35, linewidth=0.6)
    for side in ("top", "right", "left" if grid == "x" else "top"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color("#8a8f98")
    axes.tick_params(colors=_INK)
    axes.xaxis.label.set_color(_INK)
    axes.title.set_color(_INK)
    inked(axes.figure)


def inked(figure: Artist) -> None:
    """Give all text of a figure the ink that the page can exchange."""
    for text in figure.findobj(Text):
        text.set_color(_INK)
