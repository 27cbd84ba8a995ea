"""Open the data sets that configs name."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.definition.components import READER
from pipelines.definition.schema import DataConfig, Inputs, StageConfig, TrainingConfig, data_fields
from segda import label_space
from segda.artefacts.manifest import Manifest
from segda.config import loading as configs
from segda.config.lookup import module
from segda.config.validation import validate_options
from segda.data import unreadable
from segda.data.dataset import Dataset
from segda.data.label_content import inspect
from segda.data.unreadable import check_problems
from segda.errors import DataError
from segda.label_space import Labels, LabelSpace

if TYPE_CHECKING:
    from segda.engine.session import Session


def data_root(data: DataConfig) -> Path:
    """The folder of a data set whose root is not a reference."""
    assert isinstance(data.root, str)
    return configs.data_path(data.root)


def open_dataset(data: DataConfig, labels: Labels, root: Path, with_labels: bool, strict: bool = True) -> Dataset:
    """Index a data set below `root`, whose labels are read in the label space `labels`, or not at all.

    With `strict`, unpaired files are refused rather than listed in `Dataset.problems`; `on_bad_file: skip` lists them,
    too, and refuses only problems of the whole set.

    Raises:
        DataError: the folder is missing or is not as the reader expects.
    """
    if not root.is_dir():
        raise DataError(configs.missing(root))
    build = module("segda.data.readers", data.name).build
    options = validate_options(build, data.options, f"data {data.name}", READER)
    skips = strict and data.on_bad_file == "skip"
    if skips or not strict:
        options["strict"] = False
    opened: Dataset = build(root, label_space.load(labels), split=data.split, with_labels=with_labels, **options)
    if skips:
        check_problems(opened)
    return opened


class ListedData:
    """The data sets that a run has listed, so that each folder is walked through once.

    A plan's fingerprint, the estimate of disk space and the stages of the run open the same data sets.
    """

    def __init__(self) -> None:
        """Nothing is listed yet."""
        self._listed: dict[tuple[str, LabelSpace, Path, bool], Dataset] = {}
        self._inspected: set[tuple[str, LabelSpace, Path, bool]] = set()

    def open(self, data: DataConfig, labels: Labels, root: Path, with_labels: bool) -> Dataset:
        """As `open_dataset`, but the same data set as before where it was listed before.

        Raises:
            DataError: the folder is missing or is not as the reader expects.
        """
        key = (data.model_dump_json(exclude={"resize"}), label_space.load(labels), root, with_labels)
        if key not in self._listed:
            self._listed[key] = open_dataset(data, labels, root, with_labels)
        return self._listed[key]

    def inspect(self, data: DataConfig, labels: Labels, root: Path, with_labels: bool) -> list[str]:
        """Doubts about a data set by a few of its files, a line each; none when asked for them again.

        Raises:
            DataError: the labels cannot be those that the reader expects, or none of their pixels counts.
        """
        key = (data.model_dump_json(exclude={"resize"}), label_space.load(labels), root, with_labels)
        if key in self._inspected:
            return []
        self._inspected.add(key)
        return inspect(self.open(data, labels, root, with_labels), skip_broken=data.on_bad_file == "skip")


def open_recorded_dataset(folder: Path, manifest: Manifest, field: str, with_labels: bool = True) -> Dataset:
    """The data set in a field of a finished stage's config, with labels or without, and including skipped files.

    Raises:
        DataError: the data set is missing or is not as the reader expects.
    """
    data = DataConfig(**manifest.config[field])
    if isinstance(data.root, str):
        root = data_root(data)
    else:
        root = data.root.path(folder.parent / manifest.inputs[f"{field}.root"]["folder"])
    return open_dataset(data, manifest.config["task"]["labels"], root, with_labels)


def open_stage_data(
    config: StageConfig, name: str, inputs: Inputs, *, with_labels: bool, session: "Session | None" = None
) -> Dataset:
    """Open the data set at the path `name` in a config, in the task's label space, without skipped files.

    With a session, all of its processes must see the same files.
    """
    data, _ = data_fields(config)[name]

    def look(decided: Any) -> tuple[Dataset, str]:
        dataset = inputs.open(data, config.task.options["labels"], with_labels)
        skipped = inputs.skipped(name)
        if skipped:
            dataset = unreadable.without(dataset, [each.key for each in skipped])
        names = "\n".join(sample.key for sample in dataset.samples)
        return dataset, f"{len(dataset)} samples with names {hashlib.sha256(names.encode()).hexdigest()[:8]}"

    return look(None)[0] if session is None else session.same_everywhere(f"{name}: data set {data.name!r}", look)


def open_sources(config: TrainingConfig, inputs: Inputs, session: "Session") -> list[Dataset]:
    """Open the labelled data sets of a training stage, one or several, as `open_stage_data` does."""
    labelled = [name for name, (_, with_labels) in data_fields(config).items() if with_labels]
    return [open_stage_data(config, name, inputs, with_labels=True, session=session) for name in labelled]
