"""Train encoder and head on one labelled data set: the source, an exported adapted set, or (oracle) the target."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.definition.schema import Inputs, Reference, Sources, TrainingConfig

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 2
OUTPUTS = ("networks",)


class Config(TrainingConfig):
    """A supervised stage.

    Attributes:
        data: the labelled set, or several.
        method: `source_only`, or `oracle` when `data` is the target set, so that the row is marked as one.
        init: an earlier stage whose networks of equal name are fine-tuned.
    """

    data: Sources
    init: Reference | None = None


def check(config: Config) -> None:
    """Refuse a config that cannot train."""
    from pipelines.training import train

    train.check(config)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Train and publish `encoder` and `head`."""
    from pipelines.training import train
    from pipelines.training.open_data import open_sources

    return train.train(
        config,
        sources=open_sources(config, inputs, session),
        target=None,
        init=inputs.folder(config.init) / "networks" if config.init else None,
        average_with=[inputs.folder(each) / "networks" for each in config.average_with],
        published=("encoder", "head"),
        folder=folder,
        session=session,
    )
