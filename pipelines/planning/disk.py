"""Estimate the disk space that the stages of a plan take, and refuse to begin if there is too little.

Checkpoints and networks are counted tensor by tensor, exports by the files of the set that they translate. Tables, logs
and reports are small and not counted.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from pipelines.definition.pipeline import Stage
from pipelines.definition.schema import Size, TrainingConfig
from pipelines.networks import networks_on_meta
from pipelines.planning.sizes import DatasetSizes
from segda.disk import free_space, readable_size
from segda.engine.checkpoint import KEPT
from segda.errors import ResourceError
from segda.objectives import objective as objectives

STATES = {"adam": 2, "adamw": 2, "sgd": 1}
"""Numbers in an optimizer's state for each parameter."""


class DiskEstimate(DatasetSizes):
    """Disk space of a plan's stages."""

    def of(self, stage: Stage) -> int | None:
        """Bytes of a stage's finished folder, about; `None` where they cannot be estimated."""
        try:
            if isinstance(stage.config, TrainingConfig):
                return training_bytes(stage.config, self.seen(stage))
            if stage.kind == "export":
                return self.exported(stage)
            if stage.kind == "generate":
                return round(sum(extent.images for extent in self.generated(stage).values()))
        except Exception:  # data or components that cannot be read: the run reports what is wrong with them
            return None
        return None


def training_bytes(config: TrainingConfig, size: Size) -> int:
    """Bytes of a training stage's folder: its networks, the checkpoints that stay, and one being written."""
    built = networks_on_meta(config, config.method)
    every = {name: _bytes(module) for name, module in built.modules.items()}
    unpublished = ("discriminator", "sampler", "projection")
    published = sum(count for name, count in every.items() if not name.startswith(unpublished))
    average = published if config.ema is not None else 0
    state = sum(every.values()) + optimizer_bytes(config, built.modules) + average + image_pool_bytes(config, size)
    saved = min((config.steps - 1) // config.runtime.save_every, KEPT + 1)
    return published + saved * state


def optimizer_bytes(config: TrainingConfig, modules: Mapping[str, nn.Module]) -> int:
    """Bytes of the optimizers' state."""
    total = 0
    for name, module in modules.items():
        player = config.discriminator_optimizer if name.startswith("discriminator") else config.optimizer
        total += STATES[player.name] * sum(4 * p.numel() for p in module.parameters() if p.requires_grad)
    return total


def image_pool_bytes(config: TrainingConfig, size: Size) -> int:
    """Bytes of both domains' pools of earlier images, once they are full."""
    pool = max((term.pool_size() for term in objectives.build(config.method.terms).values()), default=0)
    return 2 * min(pool, config.steps * config.batch) * 3 * size[0] * size[1] * 4


def _bytes(module: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in module.state_dict().values())


def needed(space: DiskEstimate) -> dict[str, int]:
    """Bytes that each unfinished stage of a plan will add, about, where they can be estimated."""
    missing: dict[str, int] = {}
    for planned in space.plan:
        if planned.state in ("run", "resume"):
            size = space.of(space.pipeline.stages[planned.stage])
            if size is not None:
                written = _written(planned.folder) if planned.state == "resume" else 0
                missing[planned.stage] = max(size - written, 0)
    return missing


def require(space: DiskEstimate, root: Path) -> None:
    """Refuse a plan that the disk has no room for.

    Raises:
        ResourceError: names the bytes needed and free, and the largest stages.
    """
    stages = needed(space)
    total, free = sum(stages.values()), free_space(root)
    if total > free:
        most = sorted(stages, key=lambda stage: -stages[stage])[:3]
        largest = ", ".join(f"{stage} {readable_size(stages[stage])}" for stage in most)
        raise ResourceError(
            f"{root}: about {readable_size(total)} needed ({largest}), {readable_size(free)} free; free space, choose "
            "another --runs, or begin all the same with --ignore-space"
        )


def _written(folder: Path | None) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder else 0
