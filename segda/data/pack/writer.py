"""Make packs: a data set decoded and resized once, with all cores, chunk by chunk.

Until it is finished a pack's folder is called `<name>.partial` and has `chunks.jsonl`, a line for each chunk that is
written: a packing that was interrupted goes on where it stopped, once those chunks are found to be whole.
"""

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from segda.data.dataset import Dataset
from segda.data.pack import format
from segda.data.transforms import resize_image, resize_label
from segda.errors import DataError
from segda.files import digest, flush, unwritable, write_whole

VERSION = 1
"""Of what is in a pack; enters its key."""
WRITTEN = "chunks.jsonl"

Progress = Callable[[int], object]
"""Called with the number of samples that are done."""


class NotPicturesError(DataError):
    """The images are not of 8 bits, so there is nothing to pack."""


def layout(dataset: Dataset, size: tuple[int, int] | None) -> format.Layout:
    """What the pack of a data set will look like; its first sample is read.

    Args:
        dataset: with or without labels.
        size: `(height, width)` to resize to; `None` for the files' own, which must then be one.

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
    """Make a pack, or go on with what an earlier packing, or a damaged pack, left: chunks that are whole are kept.

    Args:
        dataset: with or without labels.
        size: as `layout`.
        folder: of the pack; the caller holds the claim on it.
        about: what `pack.json` says besides, `key` among it.
        workers: threads that decode and write.
        progress: may raise to stop the work.

    Raises:
        DataError: a sample is broken, or without `size` the files are of different sizes.
        ArtefactError: the disk is full or cannot be written; what is written is kept.
    """
    form, unfinished = layout(dataset, size), partial(folder)
    try:
        if folder.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            os.rename(folder, unfinished)
        unfinished.mkdir(parents=True, exist_ok=True)
        written = _Written(unfinished, form)
        left = written.begin(workers)
        done = form.number - sum(len(form.chunk(number)) for number in left)
        progress(done)
        pool = ThreadPoolExecutor(workers)
        try:
            chunks = pool.map(lambda number: _chunk(dataset, size, form, unfinished, number), left)
            for number, checksum in zip(left, chunks, strict=True):
                written.note(number, checksum)
                done += len(form.chunk(number))
                progress(done)
        finally:
            pool.shutdown(cancel_futures=True)
        for name in form.arrays:
            flush(unfinished / name)
        format.describe(unfinished, form, written.digests, about)
        (unfinished / WRITTEN).unlink(missing_ok=True)
        os.rename(unfinished, folder)
        with suppress(OSError):
            flush(folder.parent)
    except OSError as error:
        raise unwritable(folder, error, "it goes on where it stopped") from error


class _Written:
    """The chunks of an unfinished pack that are known to be written."""

    def __init__(self, unfinished: Path, form: format.Layout) -> None:
        self.unfinished, self.form, self.file = unfinished, form, unfinished / WRITTEN
        self.digests: dict[int, str] = {}

    def begin(self, workers: int) -> list[int]:
        """Make arrays that are not there; find the chunks that are whole; give the numbers of the others."""
        fit = [format.make_array(self.unfinished / n, (self.form.number, *s)) for n, s in self.form.arrays.items()]
        known = self._known() if all(fit) else {}
        self.digests = {each: known[each] for each in format.whole(self.unfinished, self.form, known, workers)}
        lines = (_line(number, digest) for number, digest in sorted(self.digests.items()))
        write_whole(self.file, "".join(lines).encode())
        return [number for number in range(self.form.chunks) if number not in self.digests]

    def note(self, number: int, digest: str) -> None:
        self.digests[number] = digest
        with self.file.open("a", encoding="utf-8") as file:
            file.write(_line(number, digest))

    def _known(self) -> dict[int, str]:
        """What `pack.json` of a damaged pack and the lines of an interrupted packing say."""
        content = format.content(self.unfinished)
        known = dict(enumerate(content["chunks"])) if content else {}
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):  # a line cut off by a crash
                entry = json.loads(line)
                known[int(entry["chunk"])] = str(entry["sha256"])
        return {number: digest for number, digest in known.items() if number < self.form.chunks}


def _chunk(dataset: Dataset, size: tuple[int, int] | None, form: format.Layout, unfinished: Path, number: int) -> str:
    """Decode, resize and write the samples of one chunk; its checksum."""
    places = form.chunk(number)
    arrays = {name: np.empty((len(places), *shape), np.uint8) for name, shape in form.arrays.items()}
    height, width = form.image[:2]
    for row, place in enumerate(places):
        image, label = dataset.read(place)
        if size is None and image.shape != form.image:
            raise DataError(
                f"{dataset.samples[place].image}: {image.shape[0]}x{image.shape[1]} (height x width), but the first "
                f"image of the set is {height}x{width}; a pack needs one size: give the data set a `resize`"
            )
        arrays[format.IMAGES][row] = resize_image(image, (height, width))
        if label is not None:
            arrays[format.LABELS][row] = resize_label(label, (height, width))
    content = {name: array.reshape(-1).data for name, array in arrays.items()}
    for name, pixels in content.items():
        with (unfinished / name).open("r+b") as file:
            file.seek(format.place(form, name, places))
            file.write(pixels)
    return digest(*content.values())


def partial(folder: Path) -> Path:
    """What a pack's folder is called until it is finished."""
    return folder.with_name(f"{folder.name}.partial")


def _line(number: int, digest: str) -> str:
    return json.dumps({"chunk": number, "sha256": digest}) + "\n"
