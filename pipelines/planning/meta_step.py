"""All that a training stage's step needs, on tensors that hold nothing: for its shapes, and for the memory it takes."""

from collections.abc import Iterable

import torch

from pipelines.definition.pipeline import Pipeline
from pipelines.definition.schema import AdaptingConfig, Size, TrainingConfig
from pipelines.networks import at_random, build_task, needed_networks, networks_at_random, pretrained_encoder
from pipelines.training.assembly import assemble
from segda.batch import Batch, DomainBatch
from segda.engine.peak_memory import DEVICE
from segda.engine.session import Local
from segda.engine.state import TrainingState
from segda.networks.networks import Networks
from segda.objectives.class_sizes import ClassSizes


class OnMeta(Local):
    """Steps on tensors that hold nothing; the optimizers' states are added up without making them."""

    def step(self, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """Leave the optimizers as they are."""


def assembled(pipeline: Pipeline, config: TrainingConfig) -> TrainingState:
    """All that a stage of a pipeline trains, on random parameters on the device that torch is at."""
    networks = networks_at_random(config, config.method)
    networks.freeze(config.method.frozen)
    kinds = {name.split(".")[0] for name in networks.modules} - {"discriminator"}
    classes = build_task(config.task).space.count
    shares = torch.full((classes,), 1 / classes)
    runtime = config.runtime.model_copy(update={"compile": False})
    needs_pretrained = "pretrained" in needed_networks(config.method)
    pretrained = pretrained_encoder(at_random(config), torch.get_default_device()) if needs_pretrained else None
    return assemble(
        config.model_copy(update={"runtime": runtime}), networks, tuple(kinds), OnMeta(),
        teacher_statistics=getattr(config, "teacher_statistics", "running"), judge=_judge(pipeline, config),
        pretrained=pretrained, class_sizes=ClassSizes(shares, shares, shares),
    )  # fmt: skip


def _judge(pipeline: Pipeline, config: TrainingConfig) -> Networks | None:
    judge = config.judge if isinstance(config, AdaptingConfig) else None
    if judge is None:
        return None
    origin = pipeline.stages[judge.stage].config
    assert isinstance(origin, TrainingConfig)
    return networks_at_random(origin, origin.method)


def meta_batch(samples: int, size: Size, target: Size | None = None, maps: bool = True) -> Batch:
    """A batch of both domains that holds nothing; images of the target have the source's size if none is given.

    Labels are `maps` of the source's size, or one class for each image.
    """
    source_image, target_image = (torch.empty((samples, 3, *each), device=DEVICE) for each in (size, target or size))
    label = torch.empty((samples, *(size if maps else ())), dtype=torch.int64, device=DEVICE)
    places = torch.arange(samples)
    keys = [str(place) for place in places.tolist()]
    return Batch(DomainBatch(source_image, label, places, keys), DomainBatch(target_image, None, places, keys))
