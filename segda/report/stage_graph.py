"""The stages of a run as a graph: what builds on what, from left to right, as SVG that takes the page's colours."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

_WIDTH, _HEIGHT = 148, 46  # of a box, in pixels
_RIGHT, _BELOW = 46, 14  # between boxes
_LETTERS = 19  # that fit into a box


class Node(NamedTuple):
    """One stage.

    Attributes:
        name: its name, each once.
        note: a second line, such as kind and time.
        after: the names of the stages that it builds on; others than those in the graph are passed over.
    """

    name: str
    note: str
    after: Sequence[str] = ()


def columns(nodes: Sequence[Node]) -> dict[str, int]:
    """The column of each node: one more than the furthest of those it builds on; 0 without any.

    Nodes come after those that they build on.
    """
    found: dict[str, int] = {}
    for node in nodes:
        found[node.name] = 1 + max((found[name] for name in node.after if name in found), default=-1)
    return found


def direct(nodes: Sequence[Node]) -> list[tuple[str, str]]:
    """The pairs (earlier, later) that no chain of others joins already: the lines that a reader needs."""
    behind: dict[str, set[str]] = {}  # all that a node builds on, however far back
    pairs = []
    for node in nodes:
        after = [name for name in dict.fromkeys(node.after) if name in behind]
        further = set().union(*(behind[name] for name in after))
        pairs += [(name, node.name) for name in after if name not in further]
        behind[node.name] = further | set(after)
    return pairs


def to_svg(nodes: Sequence[Node]) -> Markup:
    """The graph as an `<svg>` element: a box a stage, a line to each that builds on it."""
    places = _places(nodes)
    pairs = direct(nodes)
    width = max(x for x, _ in places.values()) + _WIDTH + 2
    height = max(y for _, y in places.values()) + _HEIGHT + 2
    parts = [Markup('<svg class="graph" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" '
                    'aria-label="stages and what they build on">').format(round(width), round(height))]  # fmt: skip
    for earlier, later in pairs:
        (x, y), (end_x, end_y) = places[earlier], places[later]
        x, y, end_y = x + _WIDTH, y + _HEIGHT / 2, end_y + _HEIGHT / 2
        bend = end_x - _RIGHT / 2
        parts.append(Markup('<path d="M{:.0f} {:.0f}H{:.0f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}"/>').format(
            x, y, end_x - _RIGHT, bend, y, bend, end_y, end_x, end_y
        ))  # fmt: skip
    for node in nodes:
        x, y = places[node.name]
        parts.append(Markup(
            '<g><title>{}: {}</title><rect x="{:.0f}" y="{:.0f}" width="{}" height="{}" rx="6"/>'
            '<text x="{:.0f}" y="{:.0f}">{}</text><text class="note" x="{:.0f}" y="{:.0f}">{}</text></g>'
        ).format(
            node.name, node.note, x, y, _WIDTH, _HEIGHT, x + 10, y + 19, _cut(node.name), x + 10, y + 36,
            _cut(node.note, 23),
        ))  # fmt: skip
    return Markup("").join([*parts, Markup("</svg>")])


def _places(nodes: Sequence[Node]) -> dict[str, tuple[float, float]]:
    """Left and top of each box: its column, and in it as near as possible to those that it builds on."""
    column = columns(nodes)
    rows: dict[str, float] = {}
    for number in range(max(column.values()) + 1):
        own = [node for node in nodes if column[node.name] == number]
        wanted = {node.name: _middle(node, rows) for node in own}
        own.sort(key=lambda node: wanted[node.name])
        top = -1.0
        middle = (len(own) - 1) / 2
        fallback = sum(wanted.values()) / len(own)
        for place, node in enumerate(own):
            # A column keeps its boxes apart, centred on what they would like to be beside.
            top = max(top + 1, fallback + place - middle)
            rows[node.name] = top
    least = min(rows.values())
    return {
        name: (1 + column[name] * (_WIDTH + _RIGHT), 1 + (row - least) * (_HEIGHT + _BELOW))
        for name, row in rows.items()
    }


def _middle(node: Node, rows: Mapping[str, float]) -> float:
    before = [rows[name] for name in node.after if name in rows]
    return sum(before) / len(before) if before else 0.0


def _cut(text: str, letters: int = _LETTERS) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
