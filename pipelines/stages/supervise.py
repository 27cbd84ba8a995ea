"""Train encoder and head on one labelled data set: the source, an exported adapted set, or (oracle) the target."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.definition.schema import DataConfig, Inputs, Reference, TrainingConfig
from pipelines.training.open_data import open_stage_data

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 2
OUTPUTS = ("networks",)


class Config(TrainingConfig):
    """A supervised stage.

    Attributes:
        data: the labelled set.
        method: `source_only`, or `oracle` when `data` is the target set, so that the row is marked as one.
        init: an earlier stage whose networks of equal name are fine-tuned.
    """

    data: DataConfig
    init: Reference | None = None


def check(config: Config) -> None:
    """Refuse a config that cannot train."""
    from pipelines.training import train

    train.check(config)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Train and publish `encoder` and `head`."""
    from pipelines.training import train

    data = open_stage_data(config, "data", inputs, with_labels=True, session=session)
    return train.train(
        config,
        source=data,
        target=None,
        resizes={"source": config.data.resize},
        init=inputs.folder(config.init) / "networks" if config.init else None,
        published=("encoder", "head"),
        folder=folder,
        session=session,
    )
