"""The table of evaluations, on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from segda.report import table, terminal


def show(evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the table of rows, each as `Evaluation.to_json` writes it; the first is what gains are counted from.

    Raises:
        ArtefactError: the rows are over different classes.
    """
    scores = table.build([table.Result(name, [evaluation]) for name, evaluation in evaluations.items()])
    console = Console()
    console.print(terminal.renderable(scores, console.width))
