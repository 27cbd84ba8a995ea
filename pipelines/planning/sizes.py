"""How large the data sets of a plan's stages are, or will be: from their files, or from the stages that make them.

Nothing here imports torch.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import DataConfig, Reference, Size, TrainingConfig
from pipelines.planning.plan import StagePlan
from pipelines.stages.export.config import Config as ExportConfig
from pipelines.stages.generate import Config as GenerateConfig
from pipelines.training.open_data import ListedData, data_root
from segda.data.dataset import Dataset
from segda.data.decode import image_size

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


class DatasetSizes:
    """The sizes of the data sets that a plan's stages open."""

    def __init__(self, pipeline: Pipeline, plan: Sequence[StagePlan], listed: ListedData | None = None) -> None:
        """Args: pipeline; its plan, which names finished folders; the data sets that the plan has listed."""
        self.pipeline = pipeline
        self.listed = listed or ListedData()
        self.folders = {planned.stage: planned.folder for planned in plan if planned.state == "done"}
        self.plan = plan

    def dataset(self, stage: Stage, data: DataConfig, with_labels: bool) -> Dataset | None:
        """A data set of a stage, listed; `None` where another stage has yet to make it.

        Raises:
            SegdaError: it is not there, or not as its reader expects.
        """
        if isinstance(data.root, Reference):
            folder = self.folders.get(data.root.stage)
            if folder is None:
                return None
            root = data.root.path(folder)
        else:
            root = data_root(data)
        return self.listed.open(data, stage.config.task.options["labels"], root, with_labels)

    def size(self, stage: Stage, data: DataConfig, with_labels: bool) -> Size:
        """Height and width of a data set's images as they are stored, by the first one's head.

        Raises:
            Exception: it is not known.
        """
        dataset = self.dataset(stage, data, with_labels)
        if dataset is not None:
            return image_size(dataset.samples[0].image)
        origin = self._origin(data)
        if isinstance(origin.config, GenerateConfig):
            return origin.config.size
        assert isinstance(origin.config, ExportConfig)
        resize = None if origin.config.layout == "source" else origin.config.data.resize
        return resize or self.size(origin, origin.config.data, True)

    def extent(self, stage: Stage, data: DataConfig, with_labels: bool) -> DatasetSize:
        """How large a data set of a stage is, or will be.

        Raises:
            Exception: it cannot be estimated.
        """
        dataset = self.dataset(stage, data, with_labels)
        if dataset is None:
            origin = self._origin(data)
            if isinstance(origin.config, GenerateConfig):
                assert isinstance(data.root, Reference)
                split = "" if data.root.output == "rendered" else f"_{data.split}"
                return self.generated(origin)[f"{data.root.output}{split}"]
            assert isinstance(origin.config, ExportConfig)
            source = self.extent(origin, origin.config.data, True)
            return source._replace(images=float(self.exported(origin)), labels=0.0, format="png")
        images = sum(sample.image.stat().st_size for sample in dataset.samples)
        labels = sum(sample.label.stat().st_size for sample in dataset.samples if sample.label is not None)
        ending = dataset.samples[0].image.suffix.lower()
        kind = "jpeg" if ending in (".jpg", ".jpeg") else ending.lstrip(".")
        return DatasetSize(len(dataset), images, labels, image_size(dataset.samples[0].image), kind)

    def _origin(self, data: DataConfig) -> Stage:
        assert isinstance(data.root, Reference)
        return self.pipeline.stages[data.root.stage]

    def seen(self, stage: Stage) -> Size:
        """Height and width of what a training stage's networks see.

        Raises:
            Exception: it cannot be estimated.
        """
        assert isinstance(stage.config, TrainingConfig)
        data = stage.config.labelled[0]
        return stage.config.crop or data.resize or self.size(stage, data, True)

    def generated(self, stage: Stage) -> dict[str, DatasetSize]:
        """What a generating stage writes, by output and split."""
        assert isinstance(stage.config, GenerateConfig)
        size = stage.config.size
        counts = stage.config.model_dump(include={"rendered", "camera_train", "camera_val"})
        return {
            name: DatasetSize(number, number * size[0] * size[1] * GENERATED, 0.0, size, "generated")
            for name, number in counts.items()
        }

    def exported(self, stage: Stage) -> int:
        """Bytes of an export: images times bytes, from the source set's own files where they are there."""
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
