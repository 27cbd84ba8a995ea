"""Tables in a terminal, fitted to its width: scores by class, and rows over seeds."""

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console, Group
from rich.table import Table as RichTable
from rich.text import Text

from segda.report import gap, seed_table
from segda.report.seed_table import SeedTable
from segda.report.table import ABSENT, Cell, Line, Result, ScoreTable, build, has_seeds, legend, percent, signed, tone
from segda.terminal.escape import escape
from segda.terminal.table import ruled

_NAME_WIDTH = 24  # longer class names are folded
_HEADER_WORD = 13  # longer words in a column's name are folded
_COLOURS = {"up": "green", "down": "red", "": ""}

Parts = tuple[str, str, str]
"""A cell's score, spread and gain, each padded to its width in the column; a part that is left out is empty."""


def renderable(table: ScoreTable, width: int = 100) -> Group:
    """The table for a rich console of `width` columns.

    Where gains and spreads of all columns do not fit, spreads are left out, then gains; where even the plain scores do
    not fit, the columns go on in another table below.
    """
    table = _escaped(table)
    titles = [section.title for section in table.sections]
    names = min(_NAME_WIDTH, max(map(len, (*titles, *(line.name for line in table.lines)))))
    parts = (len(table.columns) > 1, has_seeds(table))
    for gains, spreads in (parts, (parts[0], False), (False, False)):
        columns = [_column(table, index, gains, spreads) for index in range(len(table.columns))]
        cells = [len("".join(column[0])) for column in columns]
        widths = [_width(name, cell) for name, cell in zip(table.columns, cells, strict=True)]
        if names + sum(widths) + 2 * len(widths) <= width:
            break
    blocks = [_table(table, block, columns, widths) for block in _blocks(widths, width - names)]
    notes = [legend(table, gains=gains, spreads=spreads), *table.notes, *gap.notes(table)]
    missing = ["gains"] * (parts[0] and not gains) + ["spreads"] * (parts[1] and not spreads)
    if missing:
        notes.append(f"{' and '.join(missing)} do not fit in {width} columns: see the CSV or the report")
    return Group(*blocks, Text(), *(Text(note, style="dim") for note in notes))


def over_seeds(table: SeedTable, width: int = 100) -> Group:
    """One experiment over its seeds for a rich console: one line a row; each seed's own score where it fits.

    What else does not fit in `width` columns goes on in another table below.
    """
    header, lines = seed_table.cells(table)
    names, *columns = [[escape(cell) for cell in column] for column in zip(header, *lines, strict=True)]
    room = width - min(_NAME_WIDTH, max(map(len, names)))
    widths = [max(map(len, column)) for column in columns]
    if len(_blocks(widths, room)) > 1:
        widths = [_width(name, max(map(len, column))) for name, *column in columns]
    notes = table.legend
    if len(table.seeds) > 1 and len(_blocks(widths, room)) > 1:
        del columns[: len(table.seeds)], widths[: len(table.seeds)]
        notes = [*notes, f"each seed's own score does not fit in {width} columns: see --json"]
    parts: list[RichTable | Text] = [Text(escape(table.title), style="bold")]
    for block in _blocks(widths, room):
        grid = ruled()
        grid.add_column(names[0], max_width=_NAME_WIDTH, overflow="fold", vertical="bottom")
        for index in block:
            header_cell = Text(columns[index][0], overflow="fold")
            grid.add_column(header_cell, justify="right", width=widths[index], overflow="fold", vertical="bottom")
        for number, row in enumerate(table.rows, 1):
            style = "dim" if row.oracle or not row.values else ""
            grid.add_row(Text(names[number]), *(Text(columns[index][number]) for index in block), style=style)
        parts += [grid, Text()]
    return Group(*parts, *(Text(escape(note), style="dim") for note in notes))


def to_text(table: ScoreTable | SeedTable, width: int = 100) -> str:
    """`renderable` or `over_seeds` without colours, for a file or a pipe."""
    file = io.StringIO()
    drawn = renderable(table, width) if isinstance(table, ScoreTable) else over_seeds(table, width)
    Console(width=width, file=file, color_system=None, legacy_windows=False, force_jupyter=False).print(drawn)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def _escaped(table: ScoreTable) -> ScoreTable:
    """The table with control characters in its names escaped."""

    def lines(lines: Sequence[Line]) -> tuple[Line, ...]:
        return tuple(line._replace(name=escape(line.name)) for line in lines)

    return replace(
        table,
        columns=tuple(escape(name) for name in table.columns),
        classes=lines(table.classes),
        summary=lines(table.summary),
        sections=tuple(part._replace(title=escape(part.title), lines=lines(part.lines)) for part in table.sections),
        notes=tuple(escape(note) for note in table.notes),
    )


def _column(table: ScoreTable, index: int, gains: bool, spreads: bool) -> list[Parts]:
    def parts(cell: Cell | None) -> Parts:
        if cell is None:
            return ABSENT, "", ""
        spread = "" if cell.spread is None or not spreads else f" ±{percent(cell.spread)}"
        gain = "" if cell.gain is None or not gains else f" {signed(cell.gain)}"
        return percent(cell.mean), spread, gain

    cells = [parts(line.cells[index]) for line in table.lines]
    score, spread, gain = (max(map(len, column)) for column in zip(*cells, strict=True))
    return [(cell[0].rjust(score), cell[1].rjust(spread), cell[2].rjust(gain)) for cell in cells]


def _width(name: str, cells: int) -> int:
    """Width of a column: that of its `cells`, or of the longest word of its name, which is folded between words."""
    longest = max((len(word) for word in name.split()), default=0)
    return max(cells, min(longest, _HEADER_WORD))


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Column indices in blocks that fit into `room`, at least one a block."""
    blocks: list[list[int]] = [[]]
    for index, width in enumerate(widths):
        if blocks[-1] and sum(widths[other] + 2 for other in blocks[-1]) + width + 2 > room:
            blocks.append([])
        blocks[-1].append(index)
    return blocks


def _table(
    table: ScoreTable, block: Sequence[int], columns: Sequence[Sequence[Parts]], widths: Sequence[int]
) -> RichTable:
    grid = ruled()
    grid.add_column("class", max_width=_NAME_WIDTH, overflow="fold", vertical="bottom")
    for index in block:
        header = Text(table.columns[index], overflow="fold")
        grid.add_column(header, justify="right", width=widths[index], overflow="fold")
    # Where a part of the table ends, and before which lines a title stands.
    parts = [len(table.classes), *(len(section.lines) for section in table.sections)]
    ends = list(itertools.accumulate(parts))
    titles = dict(zip(ends, (section.title for section in table.sections), strict=False))
    for number, line in enumerate(table.lines):
        if number in titles:
            grid.add_row(Text(titles[number], style="dim italic"))
        cells = []
        for index in block:
            cell, (score, spread, gain) = line.cells[index], columns[index][number]
            colour = "" if cell is None or cell.gain is None else _COLOURS[tone(cell.gain)]
            cells.append(Text.assemble(score, (spread, "dim"), (gain, colour)))
        style = "bold" if line is table.summary[0] else ""
        grid.add_row(Text(line.name), *cells, style=style, end_section=number + 1 in ends)
    return grid


def print_scores(evaluations: Mapping[str, Mapping[str, Any]]) -> ScoreTable:
    """Print and return the table of rows, each as `Evaluation.to_json` writes it; gains are over the first.

    Raises:
        ArtefactError: they are over different classes.
    """
    console = Console()
    scores = build([Result(name, [evaluation]) for name, evaluation in evaluations.items()])
    console.print(renderable(scores, console.width))
    return scores
