"""Estimate the disk space that the stages of a plan take, and refuse to begin if there is too little.

Checkpoints and networks are counted tensor by tensor, exports by the files of the set that they translate. Tables, logs
and reports are small and not counted.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import nn

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import DataConfig, Reference, Size, TrainingConfig
from pipelines.networks import networks_on_meta
from pipelines.planning.plan import StagePlan
from pipelines.stages.export.config import Config as ExportConfig
from pipelines.stages.generate import Config as GenerateConfig
from pipelines.training.open_data import ListedData, data_root
from segda.data.decode import image_size
from segda.disk import free_space, readable_size
from segda.engine.checkpoint import KEPT
from segda.errors import ResourceError
from segda.objectives import objective as objectives

STATES = {"adam": 2, "adamw": 2, "sgd": 1}
"""Numbers in an optimizer's state for each parameter."""

# Bytes a pixel, image and label together, where there are no files yet: measured on `streets`.
GENERATED = 1.4
TRANSLATED = 2.2
# Growth of a file in another format: photographs, by this package's encoders.
GROWTH = {("jpeg", "png"): 5.0, ("jpeg", "webp"): 3.0, ("png", "jpeg"): 0.35, ("png", "webp"): 0.7}


class DatasetSize(NamedTuple):
    """A data set from outside: number of images, bytes of images and labels, `(height, width)`, and their format."""

    number: int
    images: float
    labels: float
    size: Size
    format: str


class DiskEstimate:
    """Disk space of a plan's stages."""

    def __init__(self, pipeline: Pipeline, plan: Sequence[StagePlan], listed: ListedData | None = None) -> None:
        """Args: pipeline; its plan, which names finished folders; the data sets that the plan has listed."""
        self.pipeline = pipeline
        self.listed = listed or ListedData()
        self.folders = {planned.stage: planned.folder for planned in plan if planned.state == "done"}
        self.plan = plan

    def of(self, stage: Stage) -> int | None:
        """Bytes of a stage's finished folder, about; `None` where they cannot be estimated."""
        try:
            if isinstance(stage.config, TrainingConfig):
                return training_bytes(stage.config, self.seen(stage))
            if stage.kind == "export":
                return self._exported(stage)
            if stage.kind == "generate":
                return round(sum(extent.images for extent in self._generated(stage).values()))
        except Exception:  # data or components that cannot be read: the run reports what is wrong with them
            return None
        return None

    def extent(self, stage: Stage, data: DataConfig, with_labels: bool) -> DatasetSize:
        """How large a data set of a stage is, or will be.

        Raises:
            Exception: it cannot be estimated.
        """
        if isinstance(data.root, Reference):
            folder, origin = self.folders.get(data.root.stage), self.pipeline.stages[data.root.stage]
            if folder is None:
                if origin.kind == "generate":
                    split = "" if data.root.output == "rendered" else f"_{data.split}"
                    return self._generated(origin)[f"{data.root.output}{split}"]
                assert isinstance(origin.config, ExportConfig)
                source = self.extent(origin, origin.config.data, True)
                return source._replace(images=float(self._exported(origin)), labels=0.0, format="png")
            root = data.root.path(folder)
        else:
            root = data_root(data)
        dataset = self.listed.open(data, stage.config.task.options["labels"], root, with_labels)
        images = sum(sample.image.stat().st_size for sample in dataset.samples)
        labels = sum(sample.label.stat().st_size for sample in dataset.samples if sample.label is not None)
        first_file = dataset.samples[0].image
        kind = "jpeg" if first_file.suffix.lower() in (".jpg", ".jpeg") else first_file.suffix.lower().lstrip(".")
        return DatasetSize(len(dataset), images, labels, image_size(first_file), kind)

    def seen(self, stage: Stage) -> Size:
        """Height and width of what a training stage's networks see.

        Raises:
            Exception: it cannot be estimated.
        """
        assert isinstance(stage.config, TrainingConfig)
        data = stage.config.labelled
        return stage.config.crop or data.resize or self.extent(stage, data, True).size

    def _generated(self, stage: Stage) -> dict[str, DatasetSize]:
        assert isinstance(stage.config, GenerateConfig)
        size = stage.config.size
        counts = stage.config.model_dump(include={"rendered", "camera_train", "camera_val"})
        return {
            name: DatasetSize(number, number * size[0] * size[1] * GENERATED, 0.0, size, "generated")
            for name, number in counts.items()
        }

    def _exported(self, stage: Stage) -> int:
        """Images times bytes, from the source set's own files where they are there."""
        config = stage.config
        assert isinstance(config, ExportConfig)
        extent = self.extent(stage, config.data, True)
        as_source = config.layout == "source"
        size = extent.size if as_source or config.data.resize is None else config.data.resize
        if extent.format == "generated":
            return round(extent.number * size[0] * size[1] * TRANSLATED)
        form = extent.format if as_source else config.format or "png"
        share = size[0] * size[1] / (extent.size[0] * extent.size[1])
        return round((extent.images * GROWTH.get((extent.format, form), 1.0) + extent.labels) * share)


def training_bytes(config: TrainingConfig, size: Size) -> int:
    """Bytes of a training stage's folder: its networks, the checkpoints that stay, and one being written."""
    built = networks_on_meta(config, config.method)
    every = {name: _bytes(module) for name, module in built.modules.items()}
    published = sum(count for name, count in every.items() if not name.startswith(("discriminator", "sampler")))
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
