"""Set the evaluated rows side by side for people: one HTML file with table, curves and pictures, and its parts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeInt, PositiveInt

from pipelines.stage import Data, Inputs, Reference, StageConfig

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 4
OUTPUTS = ("report.html",)
#: Outputs that tell when or how fast they were made, so that no two are equal.
DATED = ("report.html",)


class Config(StageConfig):
    """A reporting stage.

    Attributes:
        evaluation: the `evaluate` stage whose rows are shown.
        source: images of the source, for the pictures.
        data: labelled images of the target, for the pictures.
        translator: a stage that published `encoder` and `decoder`; none, and no translated images are shown.
        before: the networks before adaptation.
        after: the networks after it.
        pictures: how many images of each domain are shown, one from each of as many equal parts of the sets.
        thumbnails: how many are shown in place of that where the label is one class for the whole image.
        embedding: how many feature vectors of each domain are shown in a plane; 0 for no such figure.
    """

    evaluation: Reference
    source: Data
    data: Data
    translator: Reference | None = None
    before: Reference
    after: Reference
    pictures: PositiveInt = 4
    thumbnails: PositiveInt = 24
    embedding: NonNegativeInt = 200


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Write the report; one process does it."""
    if session.is_main:
        from pipelines import reporting

        reporting.write(config, inputs, folder, session)
    session.barrier()
    return {}
