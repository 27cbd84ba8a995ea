"""CORAL in closed form: give source features the target's covariance, and train the head anew on them.

Nothing of the encoder learns, so the transform is computed once, from both whole sets, before training begins.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PositiveFloat

from pipelines.definition.schema import AdaptingConfig, Inputs, Reference, Size
from segda.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from segda.batch import Domain
    from segda.data.dataset import Dataset
    from segda.engine.session import Session
    from segda.networks.networks import Networks

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
    from pipelines.training import train

    train.check(config, config.method)


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Measure both domains, train the head and publish `encoder` (as it was) and `head`."""
    import hashlib

    import safetensors.torch

    from pipelines.training.feature_statistics import feature_statistics
    from pipelines.training.open_data import open_stage_data
    from pipelines.training.train import train
    from segda.files import write_whole
    from segda.networks.coral_transform import CoralNetworks, CoralTransform, FeatureStatistics, coral_transform

    source = open_stage_data(config, "source", inputs, with_labels=True, session=session)
    target = open_stage_data(config, "target", inputs, with_labels=False, session=session)
    resizes: dict[Domain, Size | None] = {"source": config.source.resize, "target": config.target.resize}
    sets: dict[Domain, Dataset] = {"source": source, "target": target}

    def recoloured(networks: "Networks") -> "Networks":
        file = folder / "statistics.safetensors"
        if not session.on_main(file.is_file):
            # Kept: a run of another number of processes would round otherwise, and so not go on exactly.
            measured = {
                f"{domain}.{name}": value.cpu()
                for domain, dataset in sets.items()
                for name, value in feature_statistics(
                    networks, dataset, domain, resizes[domain], config.batch, session, folder.name
                )
                ._asdict()
                .items()
            }
            if session.is_main:
                write_whole(file, safetensors.torch.save(measured))
            session.barrier()

        def look(decided: Any) -> tuple[dict[str, "Tensor"], str]:
            content = file.read_bytes()
            return safetensors.torch.load(content), f"checksum {hashlib.sha256(content).hexdigest()[:8]}"

        known = session.same_everywhere(str(file), look)
        found = [FeatureStatistics(known[f"{domain}.mean"], known[f"{domain}.covariance"]) for domain in sets]
        recolouring = coral_transform(*found, regularisation=config.regularisation)
        return CoralNetworks(networks, CoralTransform(*(part.float().to(session.device) for part in recolouring)))

    return train(
        config,
        config.method,
        source=source,
        target=None,
        resizes=resizes,
        init=inputs.folder(config.init) / "networks",
        published=PUBLISHED,
        folder=folder,
        session=session,
        prepare=recoloured,
    )
