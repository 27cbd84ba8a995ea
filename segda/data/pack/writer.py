"""Make packs: a data set decoded and resized once, with all cores, chunk by chunk.

An unfinished pack's folder is `<name>.partial`, with a line in `chunks.jsonl` for each chunk that is written: an
interrupted packing checks these chunks and goes on where it stopped.
"""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from segda.data.dataset import Dataset
from segda.data.pack import format
from segda.data.prefetch import Workers
from segda.data.resize import resize_image, resize_label
from segda.errors import DataError
from segda.files import digest, flush, unwritable, write_whole

VERSION = 1
"""Of a pack's content; enters its key."""
WRITTEN = "chunks.jsonl"

Progress = Callable[[int], object]
"""Called with the number of samples that are done."""


class NotPicturesError(DataError):
    """The images are not of 8 bits, and cannot be packed."""


def layout_of(dataset: Dataset, size: tuple[int, int] | None) -> format.Layout:
    """The layout that the pack of a data set will have; its first sample is read.

    `size` is the `(height, width)` to resize to, `None` for the files' own, which must then be one.

    Raises:
        NotPicturesError: images of float32.
        DataError: the sample is broken.
    """
    image, label = dataset.read(0)
    if image.dtype != np.uint8:
        raise NotPicturesError(
            f"{dataset.root}: images of data set {dataset.name!r} are {image.dtype}, and only 8-bit pictures are "
            "packed; leave out `pack`"
        )
    height, width = image.shape[:2] if size is None else size
    return format.Layout(len(dataset), (height, width, 3), None if label is None else (height, width)[: label.ndim])


def write(
    dataset: Dataset,
    size: tuple[int, int] | None,
    folder: Path,
    about: dict[str, Any],
    *,
    workers: int,
    progress: Progress = lambda done: None,
) -> None:
    """Make a pack; whole chunks of an interrupted packing or of a damaged pack are kept.

    The caller holds the folder's lock. `size` is that of `layout_of`, `about` further content of `pack.json`, its `key`
    included; `progress` may raise to stop the work.

    Raises:
        DataError: a sample is broken, or without `size` the files are of different sizes.
        ArtefactError: the disk is full or cannot be written; what is written stays.
    """
    layout, unfinished = layout_of(dataset, size), partial(folder)
    try:
        if folder.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            os.rename(folder, unfinished)
        unfinished.mkdir(parents=True, exist_ok=True)
        chunks = _Chunks(unfinished, layout)
        left = chunks.begin(workers)
        done = layout.number - sum(len(layout.chunk(number)) for number in left)
        progress(done)
        with Workers(workers) as threads:
            written = threads.ahead(lambda number: _chunk(dataset, size, layout, unfinished, number), left)
            for number, checksum in zip(left, written, strict=True):
                chunks.note(number, checksum)
                done += len(layout.chunk(number))
                progress(done)
        for name in layout.arrays:
            flush(unfinished / name)
        format.describe(unfinished, layout, chunks.checksums, about)
        (unfinished / WRITTEN).unlink(missing_ok=True)
        os.rename(unfinished, folder)
        with suppress(OSError):
            flush(folder.parent)
    except OSError as error:
        raise unwritable(folder, error, "it goes on where it stopped") from error


class _Chunks:
    """The chunks of an unfinished pack, and the checksums of those that are written."""

    def __init__(self, folder: Path, layout: format.Layout) -> None:
        self.folder, self.layout, self.file = folder, layout, folder / WRITTEN
        self.checksums: dict[int, str] = {}

    def begin(self, workers: int) -> list[int]:
        """Make missing arrays and check the chunks that were written; the numbers of the chunks left to write."""
        shapes = {self.folder / name: (self.layout.number, *each) for name, each in self.layout.arrays.items()}
        present = [format.make_array(file, shape) for file, shape in shapes.items()]
        noted = self._noted() if all(present) else {}
        self.checksums = {number: noted[number] for number in format.whole(self.folder, self.layout, noted, workers)}
        write_whole(self.file, "".join(_line(*each) for each in sorted(self.checksums.items())).encode())
        return [number for number in range(self.layout.chunks) if number not in self.checksums]

    def note(self, number: int, checksum: str) -> None:
        self.checksums[number] = checksum
        with self.file.open("a", encoding="utf-8") as file:
            file.write(_line(number, checksum))

    def _noted(self) -> dict[int, str]:
        """The checksums in `pack.json` of a damaged pack and in the lines of an interrupted packing."""
        content = format.content(self.folder)
        noted = dict(enumerate(content["chunks"])) if content else {}
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):  # a line cut off by a crash
                entry = json.loads(line)
                noted[int(entry["chunk"])] = str(entry["sha256"])
        return {number: checksum for number, checksum in noted.items() if number < self.layout.chunks}


def _chunk(dataset: Dataset, size: tuple[int, int] | None, layout: format.Layout, folder: Path, number: int) -> str:
    """Decode, resize and write the samples of one chunk; its checksum."""
    samples = layout.chunk(number)
    arrays = {name: np.empty((len(samples), *shape), np.uint8) for name, shape in layout.arrays.items()}
    height, width = layout.image[:2]
    for row, index in enumerate(samples):
        image, label = dataset.read(index)
        if size is None and image.shape != layout.image:
            raise DataError(
                f"{dataset.samples[index].image}: {image.shape[0]}x{image.shape[1]} (height x width), but the first "
                f"image of the set is {height}x{width}; a pack needs one size: give the data set a `resize`"
            )
        arrays[format.IMAGES][row] = resize_image(image, (height, width))
        if label is not None:
            arrays[format.LABELS][row] = resize_label(label, (height, width))
    content = {name: array.reshape(-1).data for name, array in arrays.items()}
    for name, pixels in content.items():
        with (folder / name).open("r+b") as file:
            file.seek(format.offset(layout, name, samples))
            file.write(pixels)
    return digest(*content.values())


def partial(folder: Path) -> Path:
    """The folder of an unfinished pack."""
    return folder.with_name(f"{folder.name}.partial")


def _line(number: int, checksum: str) -> str:
    return json.dumps({"chunk": number, "sha256": checksum}) + "\n"
