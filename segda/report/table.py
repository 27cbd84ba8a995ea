"""The per-class table: every evaluated stage side by side, with its gain over the first."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple

from segda.errors import ArtefactError

ABSENT = "–"
SUMMARY = {
    "IoU": {
        "mIoU": "mean_iou",
        "pixel accuracy": "pixel_accuracy",
        "mean accuracy": "mean_accuracy",
        "weighted IoU": "frequency_weighted_iou",
    },
    "accuracy": {"accuracy": "pixel_accuracy", "mean accuracy": "mean_accuracy"},
}
"""By measure: the table's name of a whole-set score, and its key in an evaluation's JSON; "weighted" is by class
frequency. The first is the headline."""
SECTIONS = {"category": "categories", "boundary": "boundary"}
"""The table's name of scores of other parts than classes, and their key in an evaluation's JSON."""
_PER_CLASS = {"IoU": "iou", "accuracy": "class_accuracy"}
_ABSENCE = {
    "IoU": f"{ABSENT} absent, neither labelled nor predicted, and left out of the mean",
    "accuracy": f"{ABSENT} absent, nowhere labelled, and left out of the mean",
}

# Two columns that differ in one of these were not measured alike; their difference is not a gain.
_PROTOCOL = (
    "dataset", "split", "resize", "resize_rule", "prediction_rule", "images", "pixels_scored", "data_fingerprint",
)  # fmt: skip


class Result(NamedTuple):
    """The evaluations of one stage, as `Evaluation.to_json` writes them: one, or one for each seed."""

    name: str
    evaluations: Sequence[Mapping[str, Any]]


class Cell(NamedTuple):
    """One score over the seeds, as fractions.

    Attributes:
        values: one a seed in which the class is present; never NaN, never empty.
        gain: mean minus the first column's mean; `None` in the first column, or where that one has no score.
    """

    values: tuple[float, ...]
    gain: float | None

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over the seeds; `None` for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


class Line(NamedTuple):
    """A line of the table: a class, or a score of the whole set; an absent class has `None` for a cell."""

    name: str
    cells: tuple[Cell | None, ...]


class Section(NamedTuple):
    """More lines by name: IoU of the categories, or along the borders of the classes."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Scores of several stages side by side.

    Attributes:
        columns: the stages' names; gains are over the first.
        classes: one line a class, in the order of the label space.
        summary: the scores of the whole set, the headline first: mIoU or accuracy.
        notes: on absent classes, oracles, and columns that were not measured alike.
        measure: of the lines of the classes, "IoU" or "accuracy".
        sections: scores of the same kind by category and along borders, where all evaluations have them.
        oracles: the columns whose networks were trained on labels of the target.
        parts: what the scores are the means over, such as drives that were held out in turn; empty for one set.
    """

    columns: tuple[str, ...]
    classes: tuple[Line, ...]
    summary: tuple[Line, ...]
    notes: tuple[str, ...]
    measure: str = "IoU"
    sections: tuple[Section, ...] = ()
    oracles: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, from the classes to the summary."""
        return (*self.classes, *(line for section in self.sections for line in section.lines), *self.summary)


def build(results: Sequence[Result]) -> ScoreTable:
    """Set the results side by side: the first, to which the others are compared, then those, oracles last.

    Raises:
        ArtefactError: there is no result, one has no evaluation, or they are of different measures or classes.
    """
    if not results or not all(result.evaluations for result in results):
        empty = next((result.name for result in results if not result.evaluations), None)
        raise ArtefactError(
            f"score table: {'no stage was evaluated' if empty is None else f'{empty!r} has no evaluation'}; "
            "run the evaluate stage first"
        )
    first = results[0].evaluations[0]
    measure = measure_of(first)
    key = _PER_CLASS[measure]
    for name, evaluation in ((result.name, evaluation) for result in results for evaluation in result.evaluations):
        if measure_of(evaluation) != measure:
            raise ArtefactError(
                f"score table: {name!r} was scored by {measure_of(evaluation)} but {results[0].name!r} by "
                f"{measure}; put them in tables of their own"
            )
        if key not in evaluation:
            raise ArtefactError(f"score table: {name!r} has no {key!r} by class; evaluate it again")
        if list(evaluation[key]) != list(first[key]):
            raise ArtefactError(
                f"score table: {name!r} is over {len(evaluation[key])} classes other than the "
                f"{len(first[key])} of {results[0].name!r}; evaluate both in one label space"
            )
    classes = list(first[key])
    # A pipeline adds its rows after those of the pipeline that it is based on, whose oracle is their upper bound, too.
    results = [results[0], *sorted(results[1:], key=_of_oracle)]
    return ScoreTable(
        columns=tuple(result.name for result in results),
        classes=tuple(_line(name, [[e[key][name] for e in r.evaluations] for r in results]) for name in classes),
        summary=_summary(results, measure),
        notes=tuple(_notes(results, classes, measure)),
        measure=measure,
        sections=_sections(results),
        oracles=tuple(_oracles(results)),
        parts=tuple(_shared(results, "parts")),
    )


def _summary(results: Sequence[Result], measure: str) -> tuple[Line, ...]:
    """Scores of the whole set; after the headline the means over subspaces, those of parts, categories and borders."""
    headline, *others = ((name, ("scores", score)) for name, score in SUMMARY[measure].items())
    spaces: list[tuple[str, tuple[str, ...]]]
    spaces = [(f"mIoU {name}", ("subspaces", name, "mean_iou")) for name in _shared(results, "subspaces")]
    spaces += [(f"{headline[0]} {name}", ("parts", name, *headline[1])) for name in _shared(results, "parts")]
    parts = [(f"{title} mIoU", (key, "mean_iou")) for title, key in SECTIONS.items() if _shared(results, key)]
    return tuple(
        _line(name, [[_score(evaluation, path) for evaluation in result.evaluations] for result in results])
        for name, path in (headline, *spaces, *parts, *others)
    )


def _score(evaluation: Any, path: Sequence[str]) -> float | None:
    score: float | None = reduce(getitem, path, evaluation)
    return score


def _sections(results: Sequence[Result]) -> tuple[Section, ...]:
    sections = []
    for title, key in SECTIONS.items():
        if _shared(results, key):
            names = results[0].evaluations[0][key]["iou"]
            lines = (_line(name, [[e[key]["iou"].get(name) for e in r.evaluations] for r in results]) for name in names)
            sections.append(Section(f"{title} IoU", tuple(lines)))
    return tuple(sections)


def _shared(results: Sequence[Result], key: str) -> list[str]:
    """The names below `key` that all evaluations have, in order."""
    parts = [evaluation.get(key) or {} for result in results for evaluation in result.evaluations]
    return [name for name in parts[0] if all(name in part for part in parts)]


def measure_of(evaluation: Mapping[str, Any]) -> str:
    """The measure of an evaluation's scores by class: "IoU" or "accuracy".

    Raises:
        ArtefactError: it is another one.
    """
    measure = str(evaluation["protocol"].get("measure", "IoU"))
    if measure not in SUMMARY:
        raise ArtefactError(f"score table: measure {measure!r}; this segda shows {' and '.join(SUMMARY)}")
    return measure


def headline(evaluation: Mapping[str, Any]) -> tuple[str, float | None]:
    """Name and value, as a fraction, of the most important score: mIoU, or accuracy."""
    name, key = next(iter(SUMMARY[measure_of(evaluation)].items()))
    return name, evaluation["scores"][key]


def is_oracle(evaluation: Mapping[str, Any]) -> bool:
    """Whether the networks were trained on labels of the target."""
    return bool(evaluation["protocol"].get("trained_on_target_labels"))


def to_json(table: ScoreTable) -> dict[str, Any]:
    """All of the table as unrounded fractions, `None` where a class is absent."""

    def cell(cell: Cell | None) -> dict[str, Any] | None:
        if cell is None:
            return None
        values = {"minimum": min(cell.values), "maximum": max(cell.values), "values": list(cell.values)}
        return {"mean": cell.mean, "spread": cell.spread, **values, "gain": cell.gain}

    def lines(lines: Sequence[Line]) -> dict[str, Any]:
        return {line.name: dict(zip(table.columns, map(cell, line.cells), strict=True)) for line in lines}

    content: dict[str, Any] = {"measure": table.measure, "columns": list(table.columns)}
    content |= {"classes": lines(table.classes), "summary": lines(table.summary)}
    if table.sections:
        content["sections"] = {section.title: lines(section.lines) for section in table.sections}
    return {**content, "notes": list(table.notes)}


def to_csv(table: ScoreTable) -> str:
    """The table in percent with one decimal: mean, gain and, if there are several seeds, spread and extremes.

    An absent class is an empty field. Lines of a section have its title in brackets: `sky (category IoU)`.
    """
    seeds = has_seeds(table)
    header = ["class"]
    for index, name in enumerate(table.columns):
        header += [name] if index == 0 else [name, f"{name} gain"]
        header += [f"{name} spread", f"{name} minimum", f"{name} maximum"] if seeds else []
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(header)
    titles = [f"{line.name} ({section.title})" for section in table.sections for line in section.lines]
    names = [*(line.name for line in table.classes), *titles, *(line.name for line in table.summary)]
    for name, line in zip(names, table.lines, strict=True):
        fields = [name]
        for index, cell in enumerate(line.cells):
            fields.append("" if cell is None else percent(cell.mean))
            if index:
                fields.append("" if cell is None or cell.gain is None else signed(cell.gain))
            if seeds:
                numbers = (None,) * 3 if cell is None else (cell.spread, min(cell.values), max(cell.values))
                fields += ["" if number is None else percent(number) for number in numbers]
        writer.writerow(fields)
    return output.getvalue()


def percent(value: float) -> str:
    """A fraction in percent with one decimal."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference of fractions in points with one decimal and its sign; no sign for what rounds to zero."""
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text


def tone(gain: float) -> str:
    """Whether a gain is `up` or `down`; empty where it rounds to zero."""
    points = float(signed(gain))
    return "up" if points > 0 else "down" if points < 0 else ""


def legend(table: ScoreTable, *, gains: bool = True, spreads: bool = True) -> str:
    """What the numbers mean in a table with or without gains and spreads."""
    text = f"{table.measure} in percent"
    if spreads and has_seeds(table):
        text += ", mean and ± sample standard deviation over the seeds"
    if gains and len(table.columns) > 1:
        text += f", gain over {table.columns[0]!r} in points"
    return text


def has_seeds(table: ScoreTable) -> bool:
    """Whether a column is the mean of several evaluations."""
    return any(cell is not None and len(cell.values) > 1 for line in table.summary for cell in line.cells)


def _line(name: str, columns: Sequence[Sequence[float | None]]) -> Line:
    present = [tuple(value for value in column if value is not None) for column in columns]
    cells: list[Cell | None] = []
    for index, values in enumerate(present):
        gain = statistics.fmean(values) - statistics.fmean(present[0]) if index and values and present[0] else None
        cells.append(Cell(values, gain) if values else None)
    return Line(name, tuple(cells))


def _of_oracle(result: Result) -> bool:
    return any(is_oracle(evaluation) for evaluation in result.evaluations)


def _oracles(results: Sequence[Result]) -> list[str]:
    return [result.name for result in results if _of_oracle(result)]


def _notes(results: Sequence[Result], classes: Sequence[str], measure: str) -> list[str]:
    """On absent classes, oracles, and columns that cannot be compared."""
    notes = []
    key = _PER_CLASS[measure]
    absent = {
        result.name: tuple(name for name in classes if any(e[key][name] is None for e in result.evaluations))
        for result in results
    }
    for names in dict.fromkeys(names for names in absent.values() if names):
        columns = [name for name, missing in absent.items() if missing == names]
        suffix = "" if len(columns) == len(results) else f" (in {', '.join(columns)})"
        notes.append(f"{_ABSENCE[measure]}: {', '.join(names)}{suffix}")
    if len(set(absent.values())) > 1:
        mean = "mIoU" if measure == "IoU" else "mean accuracy"
        notes.append(f"{mean} is not over the same classes in every column; compare class by class")
    parts = _shared(results, "parts")
    if parts:
        notes.append(f"mean over {', '.join(parts)}, each on its own images; classes and mIoU are averaged separately")
    oracles = _oracles(results)
    if oracles:
        notes.append(f"trained on labels of the target, an oracle: {', '.join(oracles)}")
    for key in _PROTOCOL:
        values = {result.name: {str(e["protocol"].get(key)) for e in result.evaluations} for result in results}
        if len(set().union(*values.values())) > 1:
            text = "; ".join(f"{name}: {', '.join(sorted(own))}" for name, own in values.items())
            notes.append(f"not measured alike: {key.replace('_', ' ')} differs ({text})")
    return notes
