"""Pixel level: train a translator between the domains and publish its encoders and decoders."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.definition.schema import AdaptingConfig, Inputs

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 2
OUTPUTS = ("networks",)
PUBLISHED = ("encoder", "decoder")


class Config(AdaptingConfig):
    """A translating stage: `method` is `cyclegan`, `cyclegan_semantic` or any other with decoders."""


def check(config: Config) -> None:
    """Refuse a config that cannot train."""
    from pipelines.training import train

    train.check(config)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Train and publish the translator."""
    from pipelines.training import train

    return train.adapt(config, inputs, published=PUBLISHED, folder=folder, session=session)
