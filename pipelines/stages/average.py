"""Average evaluations of the same rows over several parts, such as drives that were held out in turn."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipelines.definition.schema import Inputs, Reference, StageConfig
from segda.artefacts.manifest import read_json, write_json
from segda.files import write_whole

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 1
OUTPUTS = ("evaluation.json", "table.csv", "table.json")
#: Outputs that contain times, so that no two are equal.
DATED = ("evaluation.json",)


class Config(StageConfig):
    """An averaging stage.

    Attributes:
        evaluations: part to the `evaluate` stage that scored it; all have the same rows, and count the same.
    """

    evaluations: dict[str, Reference] = Field(min_length=2)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Average every row, print the table and write it as JSON and CSV, with the evaluations of the parts."""
    from segda.report import table
    from segda.report.average import average
    from segda.report.terminal import print_scores

    parts = {
        name: read_json(inputs.folder(reference) / "evaluation.json") for name, reference in config.evaluations.items()
    }
    rows = {row: average({name: part[row] for name, part in parts.items()}) for row in next(iter(parts.values()))}
    if session.is_main:
        write_json(folder / "evaluation.json", rows)
        scores = print_scores(rows)
        write_json(folder / "table.json", table.to_json(scores))
        write_whole(folder / "table.csv", table.to_csv(scores).encode())
    session.barrier()
    return {name: {"miou": row["scores"]["mean_iou"]} for name, row in rows.items()}
