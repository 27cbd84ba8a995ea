"""How much of the gap between a table's first column and its oracle each other column closes, and where one falls back.

The first column is the network before adaptation, the oracle the best that was trained on labels of the target.
"""

from segda.report.table import ScoreTable, percent, signed

POINT = 0.01
"""A class that is further below the first column than this is named."""


def oracle(table: ScoreTable) -> str | None:
    """The oracle with the highest headline; `None` if there is none, or the gap is not positive."""
    first, *others = table.summary[0].cells
    means = {name: cell.mean for name, cell in zip(table.columns[1:], others, strict=True) if cell is not None}
    oracles = [name for name in means if name in table.oracles]
    best = max(oracles, key=means.__getitem__, default=None)
    return best if best is not None and first is not None and means[best] > first.mean else None


def best(table: ScoreTable) -> str | None:
    """The adapted column, neither the first nor an oracle, with the highest headline; `None` if there is none."""
    cells = zip(table.columns[1:], table.summary[0].cells[1:], strict=True)
    means = {name: cell.mean for name, cell in cells if cell is not None and name not in table.oracles}
    return max(means, key=means.__getitem__, default=None)


def verdict(table: ScoreTable) -> str:
    """How far the best adapted column comes, in a sentence; empty if there is none, or nothing that it adapts."""
    winner, line = best(table), table.summary[0]
    cell = None if winner is None else line.cells[table.columns.index(winner)]
    if winner is None or cell is None or cell.gain is None:
        return ""
    sentence = (
        f"Best adapted row: {winner!r} with {percent(cell.mean)} {line.name}, {signed(cell.gain)} points over "
        f"{table.columns[0]!r}"
    )
    top = oracle(table)
    if top is not None:
        closed = share_text(shares(table)[line.name][winner])
        sentence += f"; it closes {closed} of the gap to the upper bound {top!r}"
    elif table.oracles:
        sentence += f"; no oracle is above {table.columns[0]!r}, so there is no gap to close"
    return f"{sentence}."


def shares(table: ScoreTable) -> dict[str, dict[str, float]]:
    """By line of the summary (the headline, and the same over other classes or in a part) and column, the share closed.

    That is `(own - first) / (oracle - first)` of the means: negative for a loss. Lines without a positive gap, the
    first column and oracles have none; nothing has one without an oracle.
    """
    best = oracle(table)
    if best is None:
        return {}
    adapted = [name for name in table.columns[1:] if name not in table.oracles]
    closed: dict[str, dict[str, float]] = {}
    for line in table.summary:
        cells = dict(zip(table.columns, line.cells, strict=True))
        whole = cells[best]
        if not line.name.startswith(table.summary[0].name) or whole is None or not whole.gain or whole.gain < 0:
            continue
        gains = {name: cell.gain for name in adapted if (cell := cells[name]) is not None}
        closed[line.name] = {name: gain / whole.gain for name, gain in gains.items() if gain is not None}
    return closed


def fallen(table: ScoreTable, column: str) -> list[tuple[str, float]]:
    """The classes in which a column is more than a point below the first, the worst first, with the difference."""
    gains = ((line.name, cell.gain) for line in table.classes if (cell := line.cells[table.columns.index(column)]))
    return sorted(((name, gain) for name, gain in gains if gain is not None and gain < -POINT), key=lambda one: one[1])


def notes(table: ScoreTable) -> list[str]:
    """What each column closes, over all classes and over some, and its classes that fell; empty without an oracle."""
    closed = shares(table)
    named = [f"{table.summary[0].name} {part}" for part in table.parts]
    lines = [
        f"gap of {line} to {oracle(table)!r} closed: " + ", ".join(f"{name} {share_text(own[name])}" for name in own)
        for line, own in closed.items()
        if own and line not in named
    ]
    if lines:
        columns = closed[table.summary[0].name]
        texts = [f"{name}: {fallen_text(table, name)}" for name in columns]
        lines.append(f"classes more than a point below {table.columns[0]!r}: {'; '.join(texts)}")
    return lines


def fallen_text(table: ScoreTable, column: str) -> str:
    """`sky -3.2, tree -1.4`, or `none`."""
    return ", ".join(f"{name} {signed(gain)}" for name, gain in fallen(table, column)) or "none"


def share_text(share: float) -> str:
    """A share in percent, without decimals."""
    return f"{round(100 * share)}%"
