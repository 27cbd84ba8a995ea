"""CORAL in closed form: give source features the target's covariance, and train the head anew on them.

Nothing of the encoder learns, so the transform is computed once, from both whole sets, before training begins.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PositiveFloat

from pipelines.stage import AdaptingConfig, Inputs, Reference
from segda.errors import ConfigError

if TYPE_CHECKING:
    from segda.engine.session import Session

VERSION = 1
OUTPUTS = ("networks", "statistics.safetensors")
PUBLISHED = ("encoder", "head")


class Config(AdaptingConfig):
    """A stage of closed-form CORAL.

    Attributes:
        init: a stage that trained `encoder` and `head` on the source; the head goes on from there.
        regularisation: what is added to the diagonal of both covariances; the paper's is 1.
    """

    init: Reference
    regularisation: PositiveFloat = 1.0


def check(config: Config) -> None:
    """Refuse a config that cannot train.

    Raises:
        ConfigError: as for other training stages; or the encoder learns, which the transform is not made for.
    """
    if config.method.frozen != ["encoder"] or config.method.tied is not True:
        raise ConfigError(
            f"method: {config.method.title!r} lets the encoder learn, or has several; a stage of kind coral needs "
            "`tied: true` and `frozen: [encoder]`, as method coral has them"
        )
    from pipelines import training

    training.check(config, config.method)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Measure both domains, train the head and publish `encoder` (as it was) and `head`."""
    from pipelines import recolouring

    return recolouring.train(config, inputs, folder, session)
