"""`on_bad_file: skip`: leave out files that cannot be read, and report which.

All files are read once, before a stage begins. The readable ones are then the data set, in the order of its keys, so
the order of batches stays a function of seed and position. The list is written to the stage's folder: a resumed stage
skips the same files on every process, even if they can be read by then.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.definition.schema import AdaptingConfig, DataConfig, Inputs, StageConfig, data_fields
from pipelines.training.open_data import data_root, open_dataset
from segda.artefacts.manifest import Manifest, read_json, write_json
from segda.data import label_content, unreadable
from segda.data.dataset import Dataset
from segda.data.unreadable import Skipped
from segda.errors import ArtefactError
from segda.label_space import Labels
from segda.terminal.escape import escape
from segda.terminal.progress import ProgressLine

FILE_NAME = "skipped.json"
METRIC = "skipped"

Lists = Mapping[str, list[Skipped]]
"""Field of a stage's config to the skipped files of that data set."""


def skips(data: DataConfig) -> bool:
    """Whether unreadable files are skipped."""
    return data.on_bad_file == "skip"


def prepare(config: StageConfig, inputs: Inputs, folder: Path) -> Lists:
    """The files that a stage skips in each data set with `on_bad_file: skip`, from `skipped.json` if it is there.

    For one process, which hands the lists to the others.

    Raises:
        SegdaError: a data set cannot be opened, or nothing of it is left.
    """
    fields = {name: field for name, field in data_fields(config).items() if skips(field[0])}
    if not fields:
        return {}
    if not (folder / FILE_NAME).is_file():
        write_json(folder / FILE_NAME, _read_all(config, fields, inputs, folder))
    lists = read(folder)
    for name in fields:
        print(_line(name, lists.get(name, [])), flush=True)
    return lists


def read(folder: Path) -> Lists:
    """The lists in `skipped.json`.

    Raises:
        ArtefactError: it is damaged.
    """
    content = read_json(folder / FILE_NAME)
    try:
        return {name: [Skipped(**entry) for entry in entries] for name, entries in content.items()}
    except (TypeError, AttributeError):
        raise ArtefactError(f"{folder / FILE_NAME}: damaged; move {folder} away and run the stage again") from None


def open_readable(data: DataConfig, labels: Labels, with_labels: bool) -> Dataset:
    """Open a data set for a command; with `on_bad_file: skip`, without unreadable files, which are printed.

    Raises:
        DataError: it cannot be opened, or its labels cannot be those that the reader expects.
    """
    dataset = open_dataset(data, labels, data_root(data), with_labels)
    for doubt in label_content.inspect(dataset, skip_broken=skips(data)):
        print(escape(f"warning: {dataset.root}: {doubt}"), file=sys.stderr)
    if not skips(data):
        return dataset
    with ProgressLine(f"{data.name}: can all be read?", 0, len(dataset), "images", aside=True) as line:
        files = unreadable.find(dataset, progress=line.update)
    print(_line(data.name, files), file=sys.stderr)
    for skipped in files:
        print(f"  {skipped.file}: {skipped.reason}", file=sys.stderr)
    return unreadable.without(dataset, keys(files))


def keys(files: Iterable[Skipped]) -> set[str]:
    """The keys of the skipped samples."""
    return {skipped.key for skipped in files if skipped.key}


def as_json(files: Iterable[Skipped]) -> list[dict[str, str]]:
    """Plain data, as `Skipped(**entry)` reads it."""
    return [skipped._asdict() for skipped in files]


def metrics(lists: Lists) -> dict[str, Any]:
    """The skipped files for a manifest's metrics; nothing where no data set has `on_bad_file: skip`."""
    return {METRIC: {name: as_json(files) for name, files in lists.items()}} if lists else {}


def of_manifest(manifest: Manifest) -> dict[str, list[Skipped]]:
    """The skipped files of a finished stage, by field."""
    lists = manifest.metrics.get(METRIC) or {}
    return {name: [Skipped(**entry) for entry in entries] for name, entries in lists.items()}


def _read_all(
    config: StageConfig, fields: Mapping[str, tuple[DataConfig, bool]], inputs: Inputs, folder: Path
) -> dict[str, list[dict[str, str]]]:
    lists = {}
    for name, (data, with_labels) in fields.items():
        dataset = inputs.open(data, config.task.options["labels"], with_labels)
        title = f"{folder.name} {name}: can all be read?"
        with ProgressLine(title, 0, len(dataset), "images", folder=folder) as line:
            lists[name] = unreadable.find(dataset, workers=max(config.runtime.loading(1), 1), progress=line.update)
        unreadable.without(dataset, keys(lists[name]))
    if isinstance(config, AdaptingConfig) and config.paired:
        # A pair is skipped as a whole.
        for name, other in (("source", "target"), ("target", "source")):
            own = keys(lists.get(name, []))
            counterparts = [skipped for skipped in lists.get(other, []) if skipped.key and skipped.key not in own]
            lists.setdefault(name, []).extend(
                Skipped(s.key, s.file, "its counterpart was left out") for s in counterparts
            )
    return {name: as_json(files) for name, files in lists.items()}


def _line(name: str, files: list[Skipped]) -> str:
    if not files:
        return f"{name}: all files can be read"
    return f"{name}: {len(files)} files left out, {files[0].file} first ({files[0].reason})"
