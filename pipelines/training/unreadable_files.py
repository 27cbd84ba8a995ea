"""`on_bad_file: skip`: leave out files that cannot be read, and say which.

All files are read once, before a stage begins. What can be read is then the data set, in the order of its keys, so the
order of batches stays a function of seed and position. The list is kept in the stage's folder: a stage that goes on
leaves out what it left out before, on every process, whatever can be read by then.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.definition.schema import DataConfig, Inputs, StageConfig, data_fields
from pipelines.training.open_data import data_root, open_dataset
from segda.artefacts.manifest import Manifest, read_json, write_json
from segda.data import unreadable
from segda.data.dataset import Dataset
from segda.data.unreadable import Skipped
from segda.errors import ArtefactError
from segda.terminal.progress import ProgressLine

FILE_NAME = "skipped.json"
METRIC = "skipped"

Lists = Mapping[str, list[Skipped]]
"""Field of a stage's config to what is left out of that data set."""


def skips(data: DataConfig) -> bool:
    """Whether a config asks for files to be left out."""
    return data.on_bad_file == "skip"


def prepare(config: StageConfig, inputs: Inputs, folder: Path) -> Lists:
    """What a stage leaves out of each of its data sets that asks for that; found once, then read from `skipped.json`.

    One process does it, and tells the others.

    Raises:
        SegdaError: a data set cannot be opened, or nothing of it is left.
    """
    fields = {name: found for name, found in data_fields(config).items() if skips(found[0])}
    if not fields:
        return {}
    if not (folder / FILE_NAME).is_file():
        write_json(folder / FILE_NAME, _found(config, fields, inputs, folder.name))
    lists = read(folder)
    for name in fields:
        print(_line(name, lists.get(name, [])), flush=True)
    return lists


def read(folder: Path) -> Lists:
    """What `skipped.json` says.

    Raises:
        ArtefactError: it is damaged.
    """
    content = read_json(folder / FILE_NAME)
    try:
        return {name: [Skipped(**entry) for entry in entries] for name, entries in content.items()}
    except (TypeError, AttributeError):
        raise ArtefactError(f"{folder / FILE_NAME}: damaged; move {folder} away and run the stage again") from None


def open_now(data: DataConfig, labels: str, with_labels: bool) -> Dataset:
    """Open a data set for a command, less what cannot be read where its config asks for that; prints what is not."""
    dataset = open_dataset(data, labels, data_root(data), with_labels)
    if not skips(data):
        return dataset
    found = unreadable.find(dataset)
    print(_line(data.name, found), file=sys.stderr)
    for skipped in found:
        print(f"  {skipped.file}: {skipped.reason}", file=sys.stderr)
    return unreadable.without(dataset, keys(found))


def keys(lists: Iterable[Skipped]) -> set[str]:
    """The keys of the samples that are left out."""
    return {skipped.key for skipped in lists if skipped.key}


def described(lists: Iterable[Skipped]) -> list[dict[str, str]]:
    """As JSON has it."""
    return [skipped._asdict() for skipped in lists]


def metrics(lists: Lists) -> dict[str, Any]:
    """What a manifest says of the files that its stage left out; nothing where no config asks for that."""
    return {METRIC: {name: described(found) for name, found in lists.items()}} if lists else {}


def of_manifest(manifest: Manifest) -> dict[str, list[Skipped]]:
    """What a finished stage left out, by field."""
    told = manifest.metrics.get(METRIC) or {}
    return {name: [Skipped(**entry) for entry in entries] for name, entries in told.items()}


def _found(
    config: StageConfig, fields: Mapping[str, tuple[DataConfig, bool]], inputs: Inputs, title: str
) -> dict[str, list[dict[str, str]]]:
    lists = {}
    for name, (data, with_labels) in fields.items():
        dataset = inputs.open(data, config.task.options["labels"], with_labels)
        with ProgressLine(f"{title} {name}: can all be read?", 0, len(dataset), "images") as line:
            lists[name] = unreadable.find(dataset, workers=max(config.runtime.loading(1), 1), progress=line.update)
        unreadable.without(dataset, keys(lists[name]))
    if getattr(config, "paired", False):
        # A pair is left out as a whole.
        for name, other in (("source", "target"), ("target", "source")):
            known = keys(lists.get(name, []))
            lone = [skipped for skipped in lists.get(other, []) if skipped.key and skipped.key not in known]
            lists.setdefault(name, []).extend(Skipped(s.key, s.file, "its counterpart was left out") for s in lone)
    return {name: described(found) for name, found in lists.items()}


def _line(name: str, found: list[Skipped]) -> str:
    if not found:
        return f"{name}: all files can be read"
    return f"{name}: {len(found)} files left out, {found[0].file} first ({found[0].reason})"
