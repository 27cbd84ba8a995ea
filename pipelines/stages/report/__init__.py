"""Report the evaluated rows for people: one HTML file with table, curves and pictures, and its parts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.definition.schema import Inputs
from pipelines.stages.report.config import Config

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 5
OUTPUTS = ("report.html",)
#: What of a label space counts besides its classes.
LABEL_SPACE = ("palette", "categories")
#: Outputs that contain times, so that no two are equal.
DATED = ("report.html",)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Write the report; one process does it, and the others stop when it does.

    Raises:
        StoppedError: a signal asked to stop.
    """
    from segda.engine.signals import StoppedError, requested

    stopped = 0
    if session.is_main:
        from pipelines.stages.report import content
        from segda.terminal.progress import ProgressLine

        try:
            with ProgressLine(folder.name, 0, 1, "pages", folder=folder, aside=True):  # a sign of life in a terminal
                content.write(config, inputs, folder, session)
        except StoppedError:
            stopped = requested()
    if stopped := session.max(stopped):
        raise StoppedError(stopped, "the report is begun anew")
    return {}
