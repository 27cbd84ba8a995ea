"""Tables in a terminal, fitted to its width: scores by class, and rows over seeds."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console, Group
from rich.table import Table as RichTable
from rich.text import Text

from segda.report import seed_table
from segda.report.seed_table import SeedTable
from segda.report.table import ABSENT, Line, Result, ScoreTable, Section, build, has_seeds, legend, percent, signed
from segda.terminal.escape import escape
from segda.terminal.table import ruled

_NAME_WIDTH = 24  # longer class names are folded
_HEADER_WORD = 13  # longer words in a column's name are folded

Parts = tuple[str, str, str]
"""A cell's score, spread and gain, each padded to its width in the column; a part that is not shown is empty."""


def renderable(table: ScoreTable, width: int = 100) -> Group:
    """The table for a rich console of `width` columns.

    Where gains and spreads of all columns do not fit, spreads are left out, then gains; where even the plain scores do
    not fit, the columns go on in another table below.
    """
    table = _printable(table)
    titles = [section.title for section in table.sections]
    names = min(_NAME_WIDTH, max(map(len, (*titles, *(line.name for line in table.lines)))))
    wanted = (len(table.columns) > 1, has_seeds(table))
    for gains, spreads in (wanted, (wanted[0], False), (False, False)):
        columns = [_column(table, position, gains, spreads) for position in range(len(table.columns))]
        widths = [_width(name, column) for name, column in zip(table.columns, columns, strict=True)]
        if names + sum(widths) + 2 * len(widths) <= width:
            break
    shown: list[RichTable | Text] = [
        _table(table, positions, columns, widths) for positions in _blocks(widths, width - names)
    ]
    notes = [legend(table, gains=gains, spreads=spreads), *table.notes]
    missing = ["gains"] * (wanted[0] and not gains) + ["spreads"] * (wanted[1] and not spreads)
    if missing:
        notes.append(f"{' and '.join(missing)} do not fit in {width} columns: see the CSV or the report")
    return Group(*shown, Text(), *(Text(note, style="dim") for note in notes))


def over_seeds(table: SeedTable, width: int = 100) -> Group:
    """One experiment over its seeds for a rich console: a line a row; each seed's own score where it fits."""
    header, lines = seed_table.cells(table)
    header, lines = [escape(cell) for cell in header], [[escape(cell) for cell in line] for line in lines]
    columns = list(range(len(header)))
    widths = [max(len(line[column]) for line in (header, *lines)) for column in columns]
    notes = table.legend
    if len(table.seeds) > 1 and sum(widths) + 2 * len(widths) > width:
        columns = [column for column in columns if not 0 < column <= len(table.seeds)]
        notes = [*notes, f"each seed's own score does not fit in {width} columns: see --json"]
    grid = ruled()
    for column in columns:
        grid.add_column(Text(header[column]), justify="right" if column else "left", overflow="fold")
    for row, line in zip(table.rows, lines, strict=True):
        grid.add_row(*(Text(line[column]) for column in columns), style="dim" if row.oracle or not row.values else "")
    shown = (Text(escape(note), style="dim") for note in notes)
    return Group(Text(escape(table.title), style="bold"), grid, Text(), *shown)


def to_text(table: ScoreTable | SeedTable, width: int = 100) -> str:
    """What `renderable` or `over_seeds` shows, without colours, as for a file or a pipe."""
    file = io.StringIO()
    shown = renderable(table, width) if isinstance(table, ScoreTable) else over_seeds(table, width)
    Console(width=width, file=file, color_system=None, legacy_windows=False).print(shown)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def _printable(table: ScoreTable) -> ScoreTable:
    """The table with names as a terminal may show them."""

    def lines(given: Sequence[Line]) -> tuple[Line, ...]:
        return tuple(line._replace(name=escape(line.name)) for line in given)

    return replace(
        table,
        columns=tuple(escape(name) for name in table.columns),
        classes=lines(table.classes),
        summary=lines(table.summary),
        sections=tuple(Section(escape(section.title), lines(section.lines)) for section in table.sections),
        notes=tuple(escape(note) for note in table.notes),
    )


def _column(table: ScoreTable, position: int, gains: bool, spreads: bool) -> list[Parts]:
    cells: list[Parts] = []
    for line in table.lines:
        cell = line.cells[position]
        if cell is None:
            cells.append((ABSENT, "", ""))
            continue
        spread = "" if cell.spread is None or not spreads else f" ±{percent(cell.spread)}"
        gain = "" if cell.gain is None or not gains else f" {signed(cell.gain)}"
        cells.append((percent(cell.mean), spread, gain))
    value, spread_, gain_ = (max(len(cell[part]) for cell in cells) for part in range(3))
    return [(cell[0].rjust(value), cell[1].rjust(spread_), cell[2].rjust(gain_)) for cell in cells]


def _width(name: str, column: Sequence[Parts]) -> int:
    """Width of a column: its cells', or that of the longest word of its name, which is folded between words."""
    words = max((len(word) for word in name.split()), default=0)
    return max(len("".join(column[0])), min(words, _HEADER_WORD))


def _blocks(widths: Sequence[int], room: int) -> list[list[int]]:
    """Column positions in blocks that fit into `room`, at least one a block."""
    blocks: list[list[int]] = [[]]
    for position, width in enumerate(widths):
        if blocks[-1] and sum(widths[p] + 2 for p in blocks[-1]) + width + 2 > room:
            blocks.append([])
        blocks[-1].append(position)
    return blocks


def _table(
    table: ScoreTable, positions: Sequence[int], columns: Sequence[Sequence[Parts]], widths: Sequence[int]
) -> RichTable:
    grid = ruled()
    grid.add_column("class", max_width=_NAME_WIDTH, overflow="fold", vertical="bottom")
    for position in positions:
        header = Text(table.columns[position], overflow="fold")
        grid.add_column(header, justify="right", width=widths[position], overflow="fold")
    # Where a part of the table ends, and before which lines a title stands.
    parts = [len(table.classes), *(len(section.lines) for section in table.sections)]
    ends = [sum(parts[: count + 1]) for count in range(len(parts))]
    titles = dict(zip(ends, (section.title for section in table.sections), strict=False))
    for index, line in enumerate(table.lines):
        if index in titles:
            grid.add_row(Text(titles[index], style="dim italic"))
        cells = []
        for position in positions:
            cell, (value, spread, gain) = line.cells[position], columns[position][index]
            points = 0.0 if cell is None or cell.gain is None else float(signed(cell.gain))
            style = "green" if points > 0 else "red" if points < 0 else ""
            cells.append(Text.assemble(value, (spread, "dim"), (gain, style)))
        style = "bold" if line is table.summary[0] else ""
        grid.add_row(Text(line.name), *cells, style=style, end_section=index + 1 in ends)
    return grid


def print_scores(evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the table of rows, each as `Evaluation.to_json` writes it; the first is what gains are counted from.

    Raises:
        ArtefactError: the rows are over different classes.
    """
    console = Console()
    scores = build([Result(name, [evaluation]) for name, evaluation in evaluations.items()])
    console.print(renderable(scores, console.width))
