"""CORAL in closed form: give source features the target's covariance, and train the head on them.

The encoder does not learn, so the transform is computed once, from both whole sets, before training.
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
        init: a stage that trained `encoder` and `head` on the source.
        regularisation: added to the diagonal of both covariances; the paper's is 1.
    """

    init: Reference
    regularisation: PositiveFloat = 1.0


def check(config: Config) -> None:
    """Refuse a config that cannot train.

    Raises:
        ConfigError: as for other training stages; or the encoder learns, for which the transform is not made.
    """
    if config.method.frozen != ["encoder"] or config.method.tied is not True:
        raise ConfigError(
            f"method: {config.method.title!r} trains the encoder, or has several; a stage of kind coral needs "
            "`tied: true` and `frozen: [encoder]`, as method coral has them"
        )
    if isinstance(config.source, list):
        raise ConfigError("source: CORAL measures one source, found a list; give one data set")
    from pipelines.training import train

    train.check(config)


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
    resizes: dict[Domain, Size | None] = {"source": config.labelled[0].resize, "target": config.target.resize}
    sets: dict[Domain, Dataset] = {"source": source, "target": target}
    file = folder / "statistics.safetensors"

    def measure(networks: "Networks") -> None:
        measured = {
            domain: feature_statistics(networks, dataset, domain, resizes[domain], config.batch, session, folder)
            for domain, dataset in sets.items()
        }
        tensors = {
            f"{domain}.{name}": value.cpu()
            for domain, statistics in measured.items() for name, value in statistics._asdict().items()
        }  # fmt: skip
        if session.is_main:
            write_whole(file, safetensors.torch.save(tensors))
        session.barrier()

    def load(decided: Any) -> tuple[dict[str, "Tensor"], str]:
        content = file.read_bytes()
        return safetensors.torch.load(content), f"checksum {hashlib.sha256(content).hexdigest()[:8]}"

    def with_transform(networks: "Networks") -> "Networks":
        # Read if written: with another number of processes, sums are rounded differently, and resume is not exact.
        if not session.on_main(file.is_file):
            measure(networks)
        tensors = session.same_everywhere(str(file), load)
        statistics = [FeatureStatistics(tensors[f"{domain}.mean"], tensors[f"{domain}.covariance"]) for domain in sets]
        transform = coral_transform(*statistics, regularisation=config.regularisation)
        return CoralNetworks(networks, CoralTransform(*(part.float().to(session.device) for part in transform)))

    return train(
        config,
        sources=[source],
        target=None,
        init=inputs.folder(config.init) / "networks",
        average_with=[inputs.folder(each) / "networks" for each in config.average_with],
        published=PUBLISHED,
        folder=folder,
        session=session,
        prepare=with_transform,
    )
