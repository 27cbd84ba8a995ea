"""Write the two interleaving moons: labelled points, and the same rotated as the target."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeFloat, PositiveInt

from pipelines.definition.schema import Inputs, StageConfig

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 1
OUTPUTS = ("source", "target")
#: In keys, whatever the pipeline's task is: nothing that is written depends on it.
TASK = {"name": "classification", "labels": "moons"}


class Config(StageConfig):
    """Numbers of points and their shape.

    Attributes:
        train: points of each domain to train on.
        test: points of the target to score on.
        noise: standard deviation of the points around the moons, whose radius is 1.
        angle: rotation of the target in degrees.
    """

    train: PositiveInt = 300
    test: PositiveInt = 300
    noise: NonNegativeFloat = 0.05
    angle: float = 35.0


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Write both sets, for the reader `points`; existing files are kept."""
    from segda.demo import moons

    if session.is_main:
        moons.write(
            folder, train=config.train, test=config.test, noise=config.noise, angle=config.angle, seed=config.seed
        )
    session.barrier()
    return {"points": 2 * config.train + config.test}
