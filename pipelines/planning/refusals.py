"""What a plan cannot end well with, said before any work of it, by `--plan` as by a run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.definition import validation_cache
from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import AdaptingConfig, DataConfig, Reference, Size, TrainingConfig, data_fields
from pipelines.planning.plan import Planner, StagePlan
from pipelines.planning.sizes import DatasetSizes
from pipelines.stages.export.config import Config as ExportConfig
from segda.config import loading as configs
from segda.data.dataset import Dataset
from segda.data.decode import image_size
from segda.errors import ArtefactError, ConfigError, DataError, SegdaError

LOOKED_AT = 100
"""Images of a set whose size is looked at where the first one is smaller than the crop."""


def refuse(planner: Planner, plan: Sequence[StagePlan], world: int, *, begins: bool) -> None:
    """Refuse a plan for `world` processes that cannot end well; what is done or left out is not looked at.

    What needs torch is tried once, and remembered where it passed, so that a later plan does not import torch. Data
    that is missing refuses a run, which `begins`, and leaves out of a plan what is known by the data alone.

    Raises:
        SegdaError: the first thing that is wrong, with its stage and key.
    """
    pipeline = planner.pipeline
    _refuse_precision(pipeline)
    states = {planned.stage: planned.state for planned in plan}
    if begins:
        for planned in plan:
            if planned.state == "data missing":
                raise ArtefactError(f"stages.{planned.stage}: {planned.reason}")
    sizes = DatasetSizes(pipeline, plan, planner.listed)
    stages = [pipeline.stages[name] for name, state in states.items() if state not in ("done", "left out")]
    open_made([name for name, state in states.items() if state == "done"], stages, sizes.dataset)
    for stage in stages:
        for reference in stage.references.values():
            if states[reference.stage] == "left out":
                raise ArtefactError(
                    f"stages.{stage.name}: needs {reference.stage!r}, which is not finished; "
                    f"run it too: --only {reference.stage} --only {stage.name}"
                )
        config = stage.config
        if isinstance(config, TrainingConfig):
            _refuse_training(stage, config, sizes, world)
        elif isinstance(config, ExportConfig):
            _refuse_export(stage, config, sizes)
    _try(pipeline, stages, sizes, world, begins)


def open_made(
    made: Sequence[str], later: Sequence[Stage], open_for: Callable[[Stage, DataConfig, bool], object]
) -> None:
    """Open the data sets that finished stages made for later ones: a wrong split is not to be found after hours.

    Raises:
        SegdaError: one of them is not as its config says.
    """
    for stage in later:
        for field, (data, with_labels) in data_fields(stage.config).items():
            if isinstance(data.root, Reference) and data.root.stage in made:
                try:
                    open_for(stage, data, with_labels)
                except (ConfigError, DataError) as error:
                    raise type(error)(f"stages.{stage.name}.{field}: {error}") from None


def _refuse_precision(pipeline: Pipeline) -> None:
    precision = pipeline.runtime.mixed_precision
    if precision in ("fp16", "bf16"):
        from segda.engine.session import resolve_precision  # asks torch for a GPU

        resolve_precision(precision, pipeline.runtime.cpu)


def _refuse_training(stage: Stage, config: TrainingConfig, sizes: DatasetSizes, world: int) -> None:
    where = f"stages.{stage.name}"
    for tracker in config.runtime.trackers:
        if validation_cache.installed_version(tracker) is None:
            raise ConfigError(
                f"runtime.trackers: {tracker} is not installed; run `pip install 'segda[{tracker}]'`, or leave it out"
            )
    if config.batch % (world * config.accumulate):
        raise ConfigError(
            f"{where}.batch: {config.batch} samples cannot be split evenly over {world} "
            f"processes x {config.accumulate} micro-batches; choose a multiple of {world * config.accumulate}"
        )
    if config.runtime.compile and config.runtime.gather_statistics and world > 1:
        raise ConfigError(f"{where}.runtime.compile: does not go with runtime.gather_statistics; leave out one of them")
    for field, (data, with_labels) in data_fields(config).items():
        largest = _largest(stage, data, with_labels, config, sizes)
        if config.crop is not None and largest is not None and _exceeds(config.crop, largest):
            raise ConfigError(
                f"{where}.crop: {list(config.crop)} (height, width) is larger than the images of {field}, "
                f"{list(largest)} at most, so each would be padded; lower `crop`, or give {field} a larger `resize`"
            )
    skips = any(data.on_bad_file == "skip" for data, _ in data_fields(config).values())
    if isinstance(config, AdaptingConfig) and config.paired and not skips:  # what is skipped is left out of both
        source, target = (_present(stage, data, labels, sizes) for data, labels in data_fields(config).values())
        if source is not None and target is not None:
            _refuse_unpaired(where, source, target)


def _largest(
    stage: Stage, data: DataConfig, with_labels: bool, config: TrainingConfig, sizes: DatasetSizes
) -> Size | None:
    """The largest height and the largest width of training images before they are cropped, as far as is known."""
    factor = config.augment.scale[1] if config.augment.scale is not None else 1.0
    try:
        size = data.resize or sizes.size(stage, data, with_labels)
        if config.crop is not None and data.resize is None and _exceeds(config.crop, _scaled(size, factor)):
            dataset = sizes.dataset(stage, data, with_labels)
            step = 1 if dataset is None else -(-len(dataset) // LOOKED_AT)
            seen = [size, *(image_size(sample.image) for sample in (dataset.samples[::step] if dataset else ()))]
            size = max(height for height, _ in seen), max(width for _, width in seen)
    except Exception:  # missing or not read yet: the run says what is wrong with it
        return None
    return _scaled(size, factor)


def _scaled(size: Size, factor: float) -> Size:
    return round(size[0] * factor), round(size[1] * factor)


def _exceeds(crop: Size, size: Size) -> bool:
    return crop[0] > size[0] or crop[1] > size[1]


def _refuse_unpaired(where: str, source: Dataset, target: Dataset) -> None:
    if [sample.key for sample in source.samples] == [sample.key for sample in target.samples]:
        return
    from segda.data.loader import check_pairs

    try:
        check_pairs(source, target)
    except DataError as error:
        raise DataError(f"{where}.paired: {error}") from None


def _refuse_export(stage: Stage, config: ExportConfig, sizes: DatasetSizes) -> None:
    """Refuse a set that cannot be exported in the chosen layout, as far as it is there."""
    dataset = _present(stage, config.data, True, sizes)
    if dataset is None:
        return
    from segda.export import layout, shards

    unlabelled = next((sample.image for sample in dataset.samples if sample.label is None), None)
    if unlabelled is not None:
        raise ConfigError(f"stages.{stage.name}.data: {unlabelled}: no label to export with it; open a labelled split")
    try:
        if config.layout == "source":
            layout.check_source(dataset, config.format)
        elif config.layout == "webdataset":
            shards.check_keys(sample.key for sample in dataset.samples)
    except ConfigError as error:
        raise ConfigError(f"stages.{stage.name}.{error}") from None


def _present(stage: Stage, data: DataConfig, with_labels: bool, sizes: DatasetSizes) -> Dataset | None:
    """A data set that is there already."""
    try:
        return sizes.dataset(stage, data, with_labels)
    except SegdaError:  # the plan says so
        return None


def _try(pipeline: Pipeline, stages: Sequence[Stage], sizes: DatasetSizes, world: int, begins: bool) -> None:
    """Try a step of each stage on tensors without values, unless the same passed before; stages alike share it."""
    trials = {
        stage.name: _trial(pipeline, stage, sizes, world)
        for stage in stages
        if not any(pipeline.stages[name].missing for name in (stage.name, *_origins(stage)))
    }
    key = validation_cache.cache_key({"trials": list(trials.values()), "begins": begins})
    if validation_cache.has_passed(key):
        return
    from pipelines.planning import trial

    passed: list[dict[str, Any]] = []
    for name, described in trials.items():
        if described not in passed:
            trial.refuse(pipeline, pipeline.stages[name], described["sizes"], described["samples"], begins=begins)
            passed.append(described)
    validation_cache.remember(key)


_TRIED = {
    "kind", "task", "method", "networks", "ema", "teacher_statistics", "average_with", "paired", "augmentation", "tile",
    "overlap",
}  # fmt: skip
"""Fields of stages that decide whether a step can be made."""


def _trial(pipeline: Pipeline, stage: Stage, sizes: DatasetSizes, world: int) -> dict[str, Any]:
    """All that a trial depends on, as plain data; the size of images is `None` where it is not known."""
    config = stage.config
    seen: dict[str, Size | None] = {}
    for field, (data, with_labels) in data_fields(config).items():
        try:
            seen[field] = getattr(config, "crop", None) or data.resize or sizes.size(stage, data, with_labels)
        except Exception:  # missing or not read yet: the run says what is wrong with it
            seen[field] = None
    samples = 0
    if isinstance(config, TrainingConfig):
        samples = config.batch // config.accumulate // (1 if config.runtime.gather_statistics else world)
    involved = [config, *(pipeline.stages[name].config for name in _origins(stage))]
    weights = [file for each in involved for file in configs.weights_files(each.model_dump(include={"networks"}))]
    return {
        "configs": [each.model_dump(mode="json", include=_TRIED) for each in involved],
        "weights": [[str(file), *_stamp(file)] for file in weights],
        "sizes": seen,
        "samples": samples,
    }


def _origins(stage: Stage) -> list[str]:
    """The stages that a stage reads, sorted."""
    return sorted({reference.stage for reference in stage.references.values()})


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
