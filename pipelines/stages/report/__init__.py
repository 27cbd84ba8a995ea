"""Report the evaluated rows for people: one HTML file with table, curves and pictures, and its parts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.definition.schema import Inputs
from pipelines.stages.report.config import Config

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 4
OUTPUTS = ("report.html",)
#: What of a label space counts besides its classes.
LABEL_SPACE = ("palette", "categories")
#: Outputs that contain times, so that no two are equal.
DATED = ("report.html",)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Write the report; one process does it."""
    if session.is_main:
        from pipelines.stages.report import content

        content.write(config, inputs, folder, session)
    session.barrier()
    return {}
