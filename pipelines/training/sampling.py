"""The order in which a training stage draws its source samples, as `sampling` of its config says."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.definition.schema import DataConfig, TrainingConfig, data_fields
from segda.artefacts import checked_json
from segda.artefacts.key import digest
from segda.artefacts.manifest import read_json
from segda.data import class_counts
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.data.order import Order, RareClasses, Shuffled, Weighted
from segda.engine import signals
from segda.engine.session import Session
from segda.files import write_whole
from segda.seeds import derive_seed
from segda.terminal.progress import ProgressLine

FOLDER = "class_counts"
"""In the folder of runs: the classes of each label of a data set, counted once and shared by runs."""

VERSION = 1
"""Raised when the same labels would now be counted otherwise."""


def source_order(config: TrainingConfig, sources: Sequence[Dataset], folder: Path, session: Session) -> Order:
    """The order of a stage's source samples; the labels are counted first where rare classes are drawn.

    Process 0 counts, and the others wait.

    Args:
        config: of the stage.
        sources: its labelled data sets, without skipped files.
        folder: the stage's, in the folder of runs.
        session: the processes.

    Raises:
        DataError: a label cannot be read, or no pixel of them counts.
        ArtefactError: earlier counts are damaged, or cannot be written.
        StoppedError: a signal asked to stop.
    """
    seed, sampling, sizes = derive_seed(config.seed, "source"), config.sampling, [len(data) for data in sources]
    if sampling.rare_classes is None:
        if sampling.weights is None:
            return Shuffled(seed, sum(sizes))
        return Weighted([Shuffled(seed, size) for size in sizes], sizes, sampling.weights, seed)
    options = sampling.rare_classes.model_dump(include={"temperature", "image_share"})
    names = [name for name, (_, with_labels) in data_fields(config).items() if with_labels]
    counted = [
        _counted(data, dataset, folder, name, config.runtime.loading(1), session)
        for name, data, dataset in zip(names, config.labelled, sources, strict=True)
    ]
    if sampling.weights is None:
        return RareClasses(np.concatenate(counted), seed, **options)
    return Weighted([RareClasses(pixels, seed, **options) for pixels in counted], sizes, sampling.weights, seed)


def _counted(
    data: DataConfig, dataset: Dataset, folder: Path, field: str, workers: int, session: Session
) -> np.ndarray:
    """The pixels of each class in each label, from the file of an earlier count if there is one."""
    runs = folder.parent
    inside = dataset.root.absolute().is_relative_to(runs.absolute())
    key = digest({
        "version": VERSION,
        "reader": data.name,
        "options": data.options,
        "split": data.split,
        "space": [dataset.space.name, *dataset.space.classes],
        "fingerprint": fingerprint(dataset, strict=data.on_bad_file == "fail"),
        # A stage's folder is named by its key, which says more than the sizes of its files.
        "root": dataset.root.absolute().relative_to(runs.absolute()).as_posix() if inside else None,
    })  # fmt: skip
    file = runs / FOLDER / f"{data.name}-{key[:8]}.json"

    def count() -> None:
        if file.is_file():
            return
        title = f"{folder.name} {field}: pixels of each class"
        with ProgressLine(title, 0, len(dataset), "labels", folder=folder) as line:

            def progress(done: int) -> None:
                line.update(done)
                signals.raise_if_stopped("labels are counted anew")

            pixels = class_counts.count(dataset, workers=workers, progress=progress)
        file.parent.mkdir(exist_ok=True)
        content = checked_json.with_checksum({"key": key, "pixels": pixels.tolist()})
        write_whole(file, json.dumps(content).encode())

    def look(decided: str | None) -> tuple[np.ndarray, str]:
        content = checked_json.verified(
            file, read_json(file), {"key": str, "pixels": list}, "remove it, and run the same command again"
        )
        return np.array(content["pixels"], dtype=np.int64), str(content["key"])

    session.on_main(count)
    return session.same_everywhere(str(file), look)
