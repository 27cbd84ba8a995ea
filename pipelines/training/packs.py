"""Packs of the data sets that a stage trains on: named by all that decides their pixels, made once, shared by all.

They lie in `packs` in the folder of runs. A pack enters no key, since training reads the same pixels with and without.
"""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from pipelines.definition.schema import DataConfig, Size, TrainingConfig, data_fields
from segda.artefacts.key import digest
from segda.artefacts.lock import FolderLock
from segda.data import workers
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.data.pack import format, writer
from segda.data.pack.reader import open_pack
from segda.disk import free_space, readable_size
from segda.engine import signals
from segda.engine.session import Session
from segda.errors import ResourceError
from segda.terminal.escape import escape
from segda.terminal.progress import ProgressLine

FOLDER = "packs"


class Packing(NamedTuple):
    """A pack that is there or is to be made.

    Attributes:
        dataset: what is packed, less what its stage leaves out.
        size: `(height, width)`; `None` for the files' own.
        folder: where the pack lies or will lie.
        about: all that decides its pixels, and their key.
    """

    dataset: Dataset
    size: Size | None
    folder: Path
    about: dict[str, Any]


def plan(data: DataConfig, dataset: Dataset, runs: Path) -> Packing:
    """Where the pack of a data set lies, or would.

    Args:
        data: its config.
        dataset: opened with or without labels, less what its stage leaves out.
        runs: the folder of runs.
    """
    inside = dataset.root.absolute().is_relative_to(runs.absolute())
    about = {
        "version": writer.VERSION,
        "reader": data.name,
        "options": data.options,
        "split": data.split,
        "space": [dataset.space.name, *dataset.space.classes],
        "labels": dataset.samples[0].label is not None,
        "resize": data.resize,
        "fingerprint": fingerprint(dataset, strict=data.on_bad_file == "fail"),
        # The folder of a stage is called by its key, which says more than the sizes of its files.
        "root": dataset.root.absolute().relative_to(runs.absolute()).as_posix() if inside else None,
        "opencv": cv2.__version__,
    }
    key = digest(about)
    return Packing(dataset, data.resize, runs / FOLDER / f"{data.name}-{key[:8]}", {**about, "key": key})


def make(wanted: Packing, *, verify: bool = False) -> str:
    """Make a pack unless it is there and whole; what was done, in a line.

    Args:
        wanted: from `plan`.
        verify: read the pack and compare its checksums although nothing has touched it since that was last done.

    Raises:
        DataError: a sample is broken, or the files are of different sizes and have no `resize`.
        ResourceError: the disk is too small.
        ArtefactError: the pack cannot be written, or one of another key is in its place.
        StoppedError: a signal asked to stop; the next packing goes on from there.
    """
    folder, key = wanted.folder, wanted.about["key"]
    with FolderLock(folder.with_name(f".{folder.name}.claim"), folder, wait=True):
        if format.is_there(folder, key) and not verify:
            return f"{folder}: there already, {_description(folder)}"
        spoilt = format.damaged(folder, workers.available())
        if spoilt == []:
            return f"{folder}: every checksum is right, {_description(folder)}"
        if folder.exists():
            what = "not whole" if spoilt is None else f"{len(spoilt)} chunks damaged"
            print(escape(f"{folder}: {what}; what is whole of it is kept, the rest is made again"), flush=True)
        else:
            _require(wanted)
        with ProgressLine(f"pack {folder.name}", 0, len(wanted.dataset), "images") as line:
            writer.write(
                wanted.dataset, wanted.size, folder, wanted.about,
                workers=workers.available(), progress=partial(_progress, line),
            )  # fmt: skip
        return f"{folder}: packed, {_description(folder)}"


def streams(
    config: TrainingConfig, source: Dataset, target: Dataset | None, runs: Path, session: Session
) -> tuple[Dataset, Dataset | None]:
    """What a stage's batches are read from: its data sets, or their packs where `runtime.pack` asks for them.

    Process 0 packs, and the others wait. Only batches are read from packs: whatever else looks at a data set is to find
    files of their own size.
    """
    if not config.runtime.pack:
        return source, target
    if is_paired(config):
        session.print(f"pack: {config.kind}: pairs are read as they are")
        return source, target
    fields = {name: data for name, (data, _) in data_fields(config).items()}
    from_pack = {
        domain: dataset if dataset is None else _stream(fields[name], dataset, runs, session)
        for domain, name, dataset in (
            ("source", "source" if "source" in fields else "data", source), ("target", "target", target)
        )
    }  # fmt: skip
    assert from_pack["source"] is not None
    return from_pack["source"], from_pack["target"]


def is_paired(config: TrainingConfig) -> bool:
    """Whether a stage reads pairs, whose sizes are compared before anything is resized."""
    return bool(getattr(config, "paired", False))


def _stream(data: DataConfig, dataset: Dataset, runs: Path, session: Session) -> Dataset:
    wanted = plan(data, dataset, runs)

    def pack_it() -> str:
        try:
            return make(wanted)
        except writer.NotPicturesError:
            return ""

    told = session.on_main(pack_it)
    session.print(told or f"pack: {data.name}: images are not of 8 bits, and are read as they are")
    if not told:
        return dataset

    def look(decided: Any) -> tuple[Dataset, str]:
        return open_pack(wanted.folder, dataset), wanted.about["key"]

    return session.same_everywhere(str(wanted.folder), look)


def _progress(line: ProgressLine, done: int) -> None:
    line.update(done)
    signals.raise_if_stopped(f"{done} images are packed")


def _require(wanted: Packing) -> None:
    """Refuse to begin a pack that the disk has no room for."""
    need, free = writer.layout_of(wanted.dataset, wanted.size).bytes, free_space(wanted.folder)
    unfinished = writer.partial(wanted.folder)
    there = sum(file.stat().st_blocks * 512 for file in unfinished.iterdir()) if unfinished.is_dir() else 0
    if need - there > free:
        raise ResourceError(
            f"{wanted.folder}: a pack of {len(wanted.dataset)} images takes {readable_size(need)}, "
            f"{readable_size(free)} free; free space, choose another --runs, or leave out `pack`"
        )


def _description(folder: Path) -> str:
    content = format.content(folder)
    assert content is not None
    layout = content["layout"]
    labels = "with labels" if layout.label is not None else "no labels"
    return f"{layout.number} images {layout.image[0]}x{layout.image[1]} {labels}, {readable_size(layout.bytes)}"
