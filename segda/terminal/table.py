"""Tables in a terminal: aligned lines of plain text, and rich's tables where there are colours."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from segda.terminal.escape import escape

if TYPE_CHECKING:
    from rich.table import Table

Rows = Sequence[Sequence[object]]


def to_lines(rows: Rows, indent: str = "") -> list[str]:
    """Rows of as many cells each as lines of text, with control characters escaped.

    >>> to_lines([("stage", "state"), ("source only", "done")])
    ['stage        state', 'source only  done']
    """
    texts = [[escape(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [indent + "  ".join(map(str.ljust, row, widths)).rstrip() for row in texts]


def ruled() -> "Table":
    """An empty rich table with a rule below its header and no frame."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0, 0, 1), pad_edge=False, header_style="bold")


def print_table(title: str, rows: Rows, colours: Mapping[str, str]) -> None:
    """Print rows, the first one the header, below a title: in colour on a terminal, as `to_lines` elsewhere.

    `colours` has the colour of a cell by its text.
    """
    from rich.console import Console  # a plan for a pipe does without its import
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        print("\n".join([escape(title), *to_lines(rows)]))
        return
    drawn = ruled()
    for name in rows[0]:
        drawn.add_column(Text(escape(name)))
    for row in rows[1:]:
        drawn.add_row(*(Text(escape(cell), colours.get(str(cell), "")) for cell in row))
    console.print(Text(escape(title), "bold"), drawn)
