"""Packs of the data sets that a stage trains on: named by all that decides their pixels, made once, shared by runs.

They are in `packs` in the folder of runs. A pack enters no key, since training reads the same pixels with and without,
unless it scales what the pack holds resized: see `TrainingConfig.scales_packs`.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from pipelines.definition.schema import AdaptingConfig, DataConfig, Size, TrainingConfig
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
    """A pack, made or not.

    Attributes:
        dataset: what is packed, without skipped files.
        size: `(height, width)`; `None` for the files' own.
        folder: of the pack.
        about: all that decides its pixels, and their key.
    """

    dataset: Dataset
    size: Size | None
    folder: Path
    about: dict[str, Any]


def plan(data: DataConfig, dataset: Dataset, runs: Path) -> Packing:
    """The pack of a data set, which is opened with or without labels, without skipped files."""
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
        # A stage's folder is named by its key, which says more than the sizes of its files.
        "root": dataset.root.absolute().relative_to(runs.absolute()).as_posix() if inside else None,
        "opencv": cv2.__version__,
    }
    key = digest(about)
    return Packing(dataset, data.resize, runs / FOLDER / f"{data.name}-{key[:8]}", {**about, "key": key})


def make(packing: Packing, *, verify: bool = False) -> str:
    """Make a pack unless it is complete; what was done, in a line.

    With `verify`, its checksums are compared even if it has not changed since that was last done.

    Raises:
        DataError: a sample is broken, or the files are of different sizes and have no `resize`.
        ResourceError: the disk is too small.
        ArtefactError: the pack cannot be written, or its folder holds one of another key.
        StoppedError: a signal asked to stop; the next packing resumes.
    """
    folder, key = packing.folder, packing.about["key"]
    with FolderLock(folder.with_name(f".{folder.name}.claim"), folder, wait=True):
        if format.is_there(folder, key) and not verify:
            return f"{folder}: there already, {_summary(folder)}"
        damaged = format.damaged(folder, workers.available())
        if damaged == []:
            return f"{folder}: every checksum is right, {_summary(folder)}"
        if folder.exists():
            problem = "incomplete" if damaged is None else f"{len(damaged)} chunks damaged"
            print(escape(f"{folder}: {problem}; intact chunks are kept, the rest is made again"), flush=True)
        else:
            _require_space(packing)
        with ProgressLine(f"pack {folder.name}", 0, len(packing.dataset), "images") as line:
            writer.write(
                packing.dataset, packing.size, folder, packing.about,
                workers=workers.available(), progress=partial(_progress, line),
            )  # fmt: skip
        return f"{folder}: packed, {_summary(folder)}"


def streams(
    config: TrainingConfig, sources: Sequence[Dataset], target: Dataset | None, runs: Path, session: Session
) -> tuple[Sequence[Dataset], Dataset | None]:
    """The data sets that a stage's batches are read from: its own, or with `runtime.pack` their packs.

    Process 0 packs, and the others wait. Only batches are read from packs: everything else needs files of their own
    size.
    """
    if not config.runtime.pack:
        return sources, target
    if config.reads_pairs:
        session.print(f"pack: {config.kind}: pairs are read as they are")
        return sources, target
    packed = [_packed(data, source, runs, session) for data, source in zip(config.labelled, sources, strict=True)]
    if target is not None and isinstance(config, AdaptingConfig):
        target = _packed(config.target, target, runs, session)
    return packed, target


def _packed(data: DataConfig, dataset: Dataset, runs: Path, session: Session) -> Dataset:
    packing = plan(data, dataset, runs)

    def pack_it() -> str:
        try:
            return make(packing)
        except writer.NotPicturesError:
            return ""

    message = session.on_main(pack_it)
    session.print(message or f"pack: {data.name}: images are not of 8 bits, and are read as they are")
    if not message:
        return dataset

    def look(decided: Any) -> tuple[Dataset, str]:
        return open_pack(packing.folder, dataset), packing.about["key"]

    return session.same_everywhere(str(packing.folder), look)


def _progress(line: ProgressLine, done: int) -> None:
    line.update(done)
    signals.raise_if_stopped(f"{done} images are packed")


def _require_space(packing: Packing) -> None:
    """Refuse to begin a pack that the disk has no room for."""
    need, free = writer.layout_of(packing.dataset, packing.size).bytes, free_space(packing.folder)
    unfinished = writer.partial(packing.folder)
    written = sum(file.stat().st_blocks * 512 for file in unfinished.iterdir()) if unfinished.is_dir() else 0
    if need - written > free:
        raise ResourceError(
            f"{packing.folder}: a pack of {len(packing.dataset)} images takes {readable_size(need)}, "
            f"{readable_size(free)} free; free space, choose another --runs, or leave out `pack`"
        )


def _summary(folder: Path) -> str:
    content = format.content(folder)
    assert content is not None
    layout = content["layout"]
    labels = "with labels" if layout.label is not None else "no labels"
    return f"{layout.number} images {layout.image[0]}x{layout.image[1]} {labels}, {readable_size(layout.bytes)}"
