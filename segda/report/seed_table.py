"""One experiment over its seeds: for each row mean, spread, gain over the first row, and papers' numbers."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from segda.errors import ArtefactError
from segda.report import gap, table
from segda.report.results_file import Scored
from segda.report.table import ABSENT, Cell, Line, Result, ScoreTable, percent
from segda.terminal.escape import escape

_GAP = (
    "gap closed: gain as a share of the oracle's; worst class: the one furthest below the first row, if by more than a "
    "point"
)


class Claims(NamedTuple):
    """Numbers that papers print: row name to column name to percent, and column name to the paper."""

    values: Mapping[str, Mapping[str, float]] = {}
    sources: Mapping[str, str] = {}


class Row(NamedTuple):
    """One row over the seeds, as fractions.

    Attributes:
        name: as in the pipeline.
        oracle: trained on labels of the target.
        values: seed to headline score; a seed without a score is missing.
        gains: seed to the difference from the first row of the same seed; empty for the first row.
        claims: column name to the percent in a paper.
        picked: criterion of `segda select` to the number of seeds in which it picks this row.
    """

    name: str
    oracle: bool
    values: dict[int, float]
    gains: dict[int, float]
    claims: dict[str, float]
    picked: Mapping[str, int] = {}

    @property
    def label(self) -> str:
        """The name, marked as an oracle's unless it says so."""
        return f"{self.name} (oracle)" if self.oracle and "oracle" not in self.name.lower() else self.name


@dataclass(frozen=True)
class SeedTable:
    """One experiment.

    Attributes:
        title: the pipeline's name, and the evaluate stage's where there are several.
        headline: the score of the table: "mIoU" or "accuracy".
        seeds: in order.
        rows: as in the pipeline, oracles last; after them rows of papers alone, without values.
        sources: the paper of each column of claims.
        scores: every score by class, over the seeds.
        runs: run, code and machine of the scores, see `Scored.origin`.
    """

    title: str
    headline: str
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    sources: dict[str, str]
    scores: ScoreTable
    runs: tuple[dict[str, Any], ...]

    @property
    def legend(self) -> list[str]:
        """What the numbers mean, and notes."""
        first = f"{self.headline} in percent"
        if len(self.seeds) > 1:
            first += ", mean and ± sample standard deviation over the seeds"
        if len(self.scores.columns) > 1:
            first += f", gain over {self.scores.columns[0]!r} in points, seed by seed"
        notes = [*self.scores.notes, *([_GAP] if gap.oracle(self.scores) else [])]
        return [first, *notes, *(f"{name}: {source}" for name, source in self.sources.items())]


def experiments(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    """The runs by experiment; the title is the pipeline's name, with more where two would have the same.

    Raises:
        ArtefactError: a seed of an experiment occurs twice.
    """
    groups: dict[tuple[str, str, str], list[Scored]] = {}
    for run in scored:
        groups.setdefault((run.pipeline, run.settings, run.stage), []).append(run)
    stages: dict[str, set[str]] = {}
    first: dict[str, str] = {}
    for pipeline, setting, stage in groups:
        stages.setdefault(pipeline, set()).add(stage)
        first.setdefault(pipeline, setting)
    titled = {}
    for (pipeline, setting, stage), runs in groups.items():
        # Runs of one name whose settings differ are different experiments; the first gets the plain name.
        title = pipeline if setting == first[pipeline] else f"{runs[0].origin.get('run', pipeline)} ({setting})"
        title += f": {stage}" if len(stages[pipeline]) > 1 else ""
        twice = [seed for seed, count in Counter(run.seed for run in runs).items() if count > 1]
        if twice:
            raise ArtefactError(f"{title}: seed {twice[0]} occurs twice; name the runs or the results file that count")
        titled[title] = sorted(runs, key=lambda run: run.seed)
    return titled


def build(title: str, runs: Sequence[Scored], claims: Claims | None = None, only: Sequence[str] = ()) -> SeedTable:
    """The table of one experiment from one run a seed, with a column for each paper's numbers.

    `only` names the rows that are shown, all if empty; gains are over the experiment's first row in any case.

    Raises:
        ArtefactError: there is no such row, or the rows are of different classes or measures.
    """
    claims = claims or Claims()
    names = list(dict.fromkeys(name for run in runs for name in run.evaluations))
    for name in only:
        if name not in names and name not in claims.values:
            raise ArtefactError(f"{title}: no row {name!r}; its rows are {', '.join(names)}")
    columns = {name: [run.evaluations[name] for run in runs if name in run.evaluations] for name in names}
    scores = table.build([Result(name, evaluations) for name, evaluations in columns.items()])
    # Gains are within a seed, so notes on the protocol are, too: each seed may draw data of its own.
    notes = [table.build([Result(name, [e]) for name, e in run.evaluations.items()]).notes for run in runs]
    values = {name: _headlines(runs, name) for name in names}
    first = values[names[0]]
    rows = []
    for name in [*scores.columns, *(name for name in claims.values if name not in names)]:
        own = values.get(name, {})
        gains = {} if name == names[0] else {seed: own[seed] - first[seed] for seed in own if seed in first}
        oracle = any(table.is_oracle(evaluation) for evaluation in columns.get(name, ()))
        picked = Counter(criterion for run in runs for criterion in run.picks.get(name, ()))
        rows.append(Row(name, oracle, own, gains, dict(claims.values.get(name, {})), picked))
    rows = [row for row in rows if not only or row.name in only]
    used = dict.fromkeys(column for row in rows for column in row.claims)
    return SeedTable(
        title=title,
        headline=scores.summary[0].name,
        seeds=tuple(run.seed for run in runs),
        rows=tuple(rows),
        sources={column: claims.sources.get(column, "") for column in used},
        scores=replace(scores, notes=tuple(dict.fromkeys(itertools.chain(*notes)))),
        runs=tuple(run.origin for run in runs),
    )


def cells(table: SeedTable) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the table as text."""
    several, selected = len(table.seeds) > 1, any(row.picked for row in table.rows)
    header = ["row", *(f"seed {seed}" for seed in table.seeds)]
    header += ["mean ± spread", "gain ± spread"] if several else ["gain"]
    further = _further(table.scores)
    header += further
    lines = []
    for row in table.rows:
        line = [row.label, *(percent(row.values[seed]) if seed in row.values else ABSENT for seed in table.seeds)]
        line += [_mean_and_spread(row.values, "{:.1f}")] if several else []
        line += [_mean_and_spread(row.gains, "{:+.1f}")]
        line += [column.get(row.name, "") for column in further.values()]
        line += [f"{row.claims[column]:.1f}" if column in row.claims else "" for column in table.sources]
        # In how many seeds, where there are several.
        picked = (f"{criterion} {count}x" if several else criterion for criterion, count in row.picked.items())
        lines.append([*line, ", ".join(picked)] if selected else line)
    return [*header, *table.sources, *(["picked by"] if selected else [])], lines


def to_markdown(table: SeedTable) -> str:
    """The table in Markdown."""
    header, lines = cells(table)
    rows = ["| " + " | ".join(escape(cell).replace("|", "\\|") for cell in line) + " |" for line in (header, *lines)]
    return "\n".join([rows[0], "|---|" + "---:|" * (len(header) - 1), *rows[1:]])


def to_json(seeds: SeedTable) -> dict[str, Any]:
    """All of the table: scores and gains as unrounded fractions, claims in percent as printed."""
    names = {row.name for row in seeds.rows}

    def selected(lines: dict[str, Any]) -> dict[str, Any]:
        return {line: {name: cell for name, cell in cells.items() if name in names} for line, cells in lines.items()}

    whole, closed = table.to_json(seeds.scores), gap.shares(seeds.scores)
    sections = {title: selected(lines) for title, lines in whole.get("sections", {}).items()}
    return {
        "measure": seeds.scores.measure,
        "headline": seeds.headline,
        "seeds": list(seeds.seeds),
        "gains_over": seeds.scores.columns[0],
        "rows": {
            row.name: {
                "oracle": row.oracle,
                **_summary(row.values),
                "gain": _summary(row.gains) if row.gains else None,
                "claims": row.claims,
                **({"picked": dict(row.picked)} if row.picked else {}),
            }
            for row in seeds.rows
        },
        "summary": selected(whole["summary"]),
        "classes": selected(whole["classes"]),
        **({"gap_closed": selected(closed)} if closed else {}),
        **({"sections": sections} if sections else {}),
        "sources": seeds.sources,
        "notes": whole["notes"],
        "runs": list(seeds.runs),
    }


def _headlines(runs: Sequence[Scored], name: str) -> dict[int, float]:
    scores = {run.seed: table.headline(run.evaluations[name])[1] for run in runs if name in run.evaluations}
    return {seed: score for seed, score in scores.items() if score is not None}


def _further(scores: ScoreTable) -> dict[str, dict[str, str]]:
    """Header of a further column to each row's text: shares of the gap, means of subspaces and parts, worst class."""
    headline, *others = scores.summary
    closed = gap.shares(scores)
    columns: dict[str, dict[str, str]] = {}

    def add_gap(line: Line) -> None:
        if line.name in closed:
            name = "gap closed" if line is headline else f"closed {line.name}"
            columns[name] = {row: gap.share_text(share) for row, share in closed[line.name].items()}

    add_gap(headline)
    parts = {f"{headline.name} {part}": part for part in scores.parts}
    for line in others:
        if line.name in parts or line.name in closed:
            cells = zip(scores.columns, line.cells, strict=True)
            columns[parts.get(line.name, line.name)] = {row: percent(cell.mean) for row, cell in cells if cell}
        if line.name not in parts:
            add_gap(line)
    if closed:
        worst = {row: gap.fallen(scores, row)[:1] for row in closed[headline.name]}
        columns["worst class"] = {
            row: f"{one[0][0]} {table.signed(one[0][1])}" if one else "none" for row, one in worst.items()
        }
    return columns


def _summary(values: Mapping[int, float]) -> dict[str, Any]:
    cell = Cell(tuple(values.values()), None)
    return {
        "mean": cell.mean if values else None,
        "spread": cell.spread,
        "values": {str(seed): value for seed, value in values.items()},
    }


def _mean_and_spread(values: Mapping[int, float], form: str) -> str:
    """Mean and sample standard deviation in percent; empty where there is no value."""
    cell = Cell(tuple(100 * value for value in values.values()), None)
    spread = "" if cell.spread is None else f" ± {cell.spread:.1f}"
    return form.format(cell.mean) + spread if values else ""
