"""The stages of a run as a graph from left to right: an SVG in the page's colours."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

_WIDTHS, _HEIGHT = (148, 320), 46  # of a box, in pixels: all are as wide as the longest text needs, within limits
_RIGHT, _BELOW = 36, 14  # between boxes
_MARGIN = 20  # of a box, left and right together
_LETTERS = (8.7, 6.4)  # width of a letter of a name and of a note


class Node(NamedTuple):
    """One stage: a unique name, a second line such as kind and time, and the names of the stages that it builds on.

    Names in `after` that are not in the graph are ignored.
    """

    name: str
    note: str
    after: Sequence[str] = ()


def columns(nodes: Sequence[Node]) -> dict[str, int]:
    """The column of each node: one more than the rightmost it builds on, else 0. Nodes are in topological order."""
    column: dict[str, int] = {}
    for node in nodes:
        column[node.name] = 1 + max((column[name] for name in node.after if name in column), default=-1)
    return column


def direct(nodes: Sequence[Node]) -> list[tuple[str, str]]:
    """The pairs (earlier, later) that no chain of other stages joins: the lines to draw."""
    ancestors: dict[str, set[str]] = {}
    pairs = []
    for node in nodes:
        after = [name for name in dict.fromkeys(node.after) if name in ancestors]
        indirect = set().union(*(ancestors[name] for name in after))
        pairs += [(name, node.name) for name in after if name not in indirect]
        ancestors[node.name] = indirect | set(after)
    return pairs


def to_svg(nodes: Sequence[Node]) -> Markup:
    """The graph as an `<svg>` element: a box for each stage, a line to each that builds on it."""
    texts = zip(_LETTERS, ([node.name for node in nodes], [node.note for node in nodes]), strict=True)
    longest = max(letter * len(text) for letter, column in texts for text in column)
    box = math.ceil(min(max(longest + _MARGIN, _WIDTHS[0]), _WIDTHS[1]))
    positions = _positions(nodes, box)
    width = max(x for x, _ in positions.values()) + box + 2
    height = max(y for _, y in positions.values()) + _HEIGHT + 2
    parts = [Markup('<svg class="graph" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" '
                    'aria-label="stages and what they build on">').format(round(width), round(height))]  # fmt: skip
    for earlier, later in direct(nodes):
        (x, y), (end_x, end_y) = positions[earlier], positions[later]
        x, y, end_y = x + box, y + _HEIGHT / 2, end_y + _HEIGHT / 2
        bend = end_x - _RIGHT / 2
        parts.append(Markup('<path d="M{:.0f} {:.0f}H{:.0f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}"/>').format(
            x, y, end_x - _RIGHT, bend, y, bend, end_y, end_x, end_y
        ))  # fmt: skip
    for node in nodes:
        x, y = positions[node.name]
        parts.append(Markup(
            '<g><title>{}: {}</title><rect x="{:.0f}" y="{:.0f}" width="{}" height="{}" rx="6"/>'
            '<text x="{:.0f}" y="{:.0f}">{}</text><text class="note" x="{:.0f}" y="{:.0f}">{}</text></g>'
        ).format(
            node.name, node.note, x, y, box, _HEIGHT, x + 10, y + 19, _cut(node.name, (box - _MARGIN) / _LETTERS[0]),
            x + 10, y + 36, _cut(node.note, (box - _MARGIN) / _LETTERS[1]),
        ))  # fmt: skip
    return Markup("").join([*parts, Markup("</svg>")])


def _positions(nodes: Sequence[Node], box: int) -> dict[str, tuple[float, float]]:
    """Left and top of each box: its column, and in it as near as possible to those that it builds on."""
    column = columns(nodes)
    rows: dict[str, float] = {}
    for number in range(max(column.values()) + 1):
        ideal = {node.name: _middle(node, rows) for node in nodes if column[node.name] == number}
        centre = sum(ideal.values()) / len(ideal)
        top = -1.0
        for index, name in enumerate(sorted(ideal, key=lambda name: ideal[name])):
            # Boxes of a column stay apart, centred on the mean of their ideal rows.
            top = max(top + 1, centre + index - (len(ideal) - 1) / 2)
            rows[name] = top
    least = min(rows.values())
    return {
        name: (1 + column[name] * (box + _RIGHT), 1 + (row - least) * (_HEIGHT + _BELOW)) for name, row in rows.items()
    }


def _middle(node: Node, rows: Mapping[str, float]) -> float:
    before = [rows[name] for name in node.after if name in rows]
    return sum(before) / len(before) if before else 0.0


def _cut(text: str, letters: float) -> str:
    return text if len(text) <= letters else text[: int(letters) - 1] + "…"
