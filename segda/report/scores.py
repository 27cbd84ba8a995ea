"""Scores of one or several rows as a table object: for printing, for pandas, for code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from segda.report.table import Result, ScoreTable, build, headline
from segda.report.terminal import to_text


@dataclass(frozen=True)
class Scores(Mapping[str, Mapping[str, Any]]):
    """Row name to its evaluation, as `segda evaluate --json` prints it: scores, counts, protocol.

    `print(scores)` shows the table of the command line; gains are over the first row.

    Attributes:
        evaluations: by row, each with `scores`, `iou`, `class_accuracy`, `confusion` and `protocol`; fractions, and
            `None` where a class is absent.
    """

    evaluations: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, row: str) -> Mapping[str, Any]:
        """One row's evaluation."""
        return self.evaluations[row]

    def __iter__(self) -> Iterator[str]:
        """The rows' names."""
        return iter(self.evaluations)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.evaluations)

    def __str__(self) -> str:
        """The table of the command line, without colours."""
        return to_text(self.table)

    @cached_property
    def table(self) -> ScoreTable:
        """The rows side by side, by class."""
        return build([Result(name, [evaluation]) for name, evaluation in self.evaluations.items()])

    @property
    def mean(self) -> dict[str, float | None]:
        """The headline of each row, a fraction: mIoU, or accuracy where images are classified."""
        return {name: headline(each)[1] for name, each in self.evaluations.items()}

    def records(self) -> list[dict[str, Any]]:
        """One mapping for each line of the table, for `pandas.DataFrame(scores.records())`.

        `part` is `class`, `category`, `boundary` or `summary`, `name` the line's name; the other keys are the rows'
        names, with fractions, and `None` where a class is absent.
        """
        table = self.table
        parts = {
            "class": table.classes,
            **{each.title.split()[0]: each.lines for each in table.sections},
            "summary": table.summary,
        }
        return [
            {"part": part, "name": line.name}
            | {row: None if cell is None else cell.mean for row, cell in zip(table.columns, line.cells, strict=True)}
            for part, lines in parts.items()
            for line in lines
        ]
