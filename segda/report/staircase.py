"""The rows of a table as a staircase, from the network before adaptation up to the oracle: what each step adds."""

import textwrap

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from segda.report import charts, gap
from segda.report.table import ScoreTable, percent, signed

_INK = "#111317"


def figure(table: ScoreTable) -> Figure | None:
    """A step a column, its headline score above it and the difference from the step before below; `None` without a gap.

    Lines mark the first column and the oracle; the right axis is the share of the gap between them.
    """
    best = gap.oracle(table)
    if best is None:
        return None
    cells = dict(zip(table.columns, table.summary[0].cells, strict=True))
    steps = [(name, 100 * cell.mean) for name, cell in cells.items() if cell is not None]
    low, high = steps[0][1], dict(steps)[best]
    drawn = Figure(figsize=(7.4, 3.4), layout="constrained")
    axes = drawn.subplots()
    for level, style in ((low, "--"), (high, ":")):
        axes.axhline(level, color=_INK, linewidth=0.8, linestyle=style)
    for place, (name, score) in enumerate(steps):
        colour = _INK if name in table.oracles else charts.colour(list(table.columns).index(name))
        axes.fill_between([place - 0.5, place + 0.5], low, score, color=colour, alpha=0.25, linewidth=0)
        axes.plot([place - 0.5, place + 0.5], [score, score], color=colour, linewidth=2.5, solid_capstyle="butt")
        axes.annotate(percent(score / 100), (place, score), (0, 4), textcoords="offset points", ha="center", fontsize=8)
        if place:
            before = steps[place - 1][1]
            axes.plot([place - 0.5] * 2, [before, score], color=_INK, linewidth=0.8)
            axes.annotate(
                signed((score - before) / 100), (place, score), (0, -11), textcoords="offset points", ha="center",
                fontsize=7,
            )  # fmt: skip
    bounds = {name: f"{name} (upper bound)" for name in table.oracles}
    names = [textwrap.fill(bounds.get(name, name), max(6, 100 // len(steps))) for name, _ in steps]
    axes.set_xticks(range(len(steps)), names, fontsize=7, parse_math=False)
    axes.tick_params(axis="x", length=0)
    axes.margins(x=0.01, y=0.15)
    axes.set_ylabel(f"{table.summary[0].name} in percent", fontsize=8)

    def to_share(score: ArrayLike) -> np.ndarray:
        return 100 * (np.asarray(score, dtype=float) - low) / (high - low)

    def to_score(share: ArrayLike) -> np.ndarray:
        return low + np.asarray(share, dtype=float) * (high - low) / 100

    share = axes.secondary_yaxis("right", functions=(to_share, to_score))
    share.set_ylabel("gap closed in percent", fontsize=8)
    share.tick_params(labelsize=7)
    share.spines["right"].set_color("#8a8f98")
    charts.plain(axes, grid="y")
    axes.tick_params(axis="y", labelsize=7)
    return drawn
