"""Feature level: train any method on labelled source and unlabelled target; publish encoder, head, decoder if any."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import NonNegativeInt

from pipelines.definition.schema import AdaptingConfig, Inputs

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 2
OUTPUTS = ("networks",)
PUBLISHED = ("encoder", "head", "decoder")


class Config(AdaptingConfig):
    """An aligning stage: `method` is any with a head, such as `dann`, `i2i_gta5` or `self_training`.

    Attributes:
        target_statistics: number of target images, spread evenly over the set, for the batch normalisation statistics
            of the published networks (AdaBN); 0 keeps those of training.
        teacher_statistics: whether a teacher normalises by its running averages or by its input batch. The batch's are
            better where the domains' colours differ much, the running ones where they are close.
    """

    target_statistics: NonNegativeInt = 0
    teacher_statistics: Literal["running", "batch"] = "running"


def check(config: Config) -> None:
    """Refuse a config that cannot train."""
    from pipelines.training import train

    train.check(config)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Train and publish the adapted networks."""
    from pipelines.training import train

    return train.adapt(
        config,
        inputs,
        published=PUBLISHED,
        folder=folder,
        session=session,
        target_statistics=config.target_statistics,
        teacher_statistics=config.teacher_statistics,
    )
