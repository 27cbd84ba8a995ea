"""Write digits that need no download: rendered ones in MNIST's layout, real handwritten ones from scikit-learn."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PositiveInt

from pipelines.definition.schema import Inputs, StageConfig

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 2
OUTPUTS = ("rendered", "handwritten")
#: In keys, whatever the pipeline's task is: nothing that is written depends on it.
TASK = {"name": "classification", "labels": "digits"}


class Config(StageConfig):
    """Numbers of images.

    Attributes:
        rendered_train: rendered digits of split `train`, for the reader `mnist`.
        rendered_test: rendered digits of split `test`.
        handwritten_test: how many of the 1,797 handwritten digits (8x8, reader `arrays`) become split `test`.
    """

    rendered_train: PositiveInt
    rendered_test: PositiveInt
    handwritten_test: PositiveInt = 500


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Write both sets; existing files are kept."""
    from segda.demo import handwritten_digits, rendered_digits
    from segda.terminal.progress import ProgressLine

    if session.is_main:
        rendered = config.rendered_train + config.rendered_test
        with ProgressLine(folder.name, 0, rendered, "images", folder=folder) as line:
            rendered_digits.write(
                folder / "rendered",
                train=config.rendered_train,
                test=config.rendered_test,
                seed=config.seed,
                progress=line.update,
            )
        handwritten_digits.write(folder / "handwritten", test=config.handwritten_test, seed=config.seed)
    session.barrier()
    return {"rendered": config.rendered_train + config.rendered_test, "handwritten": handwritten_digits.COUNT}
