"""What a pack is on disk: arrays in numpy's format, and `pack.json` with the checksum of every chunk of samples.

`images.npy` is uint8 RGB `[N, H, W, 3]`; `labels.npy`, where labels were opened, uint8 class indices `[N, H, W]`, or
`[N]` where a label is one class for the whole image.
"""

import io
import json
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segda.errors import ArtefactError
from segda.files import digest, write_whole

FILE_NAME = "pack.json"
IMAGES, LABELS = "images.npy", "labels.npy"
CHUNK_BYTES = 2 << 20
"""So small that all cores have something to do to the end, and little is lost when a packing is killed."""


class Layout(NamedTuple):
    """The shape of a pack's arrays.

    Attributes:
        number: samples.
        image: `(height, width, 3)` of each.
        label: `(height, width)` of each label, `()` where it is one class, `None` without labels.
    """

    number: int
    image: tuple[int, ...]
    label: tuple[int, ...] | None

    @property
    def arrays(self) -> dict[str, tuple[int, ...]]:
        """File to the shape of one sample in it."""
        return {IMAGES: self.image, **({} if self.label is None else {LABELS: self.label})}

    @property
    def bytes(self) -> int:
        """Of all arrays."""
        return self.number * self._each

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.number // self._length)

    def chunk(self, number: int) -> range:
        """The samples of a chunk."""
        return range(number * self._length, min((number + 1) * self._length, self.number))

    @property
    def _each(self) -> int:
        return sum(math.prod(shape) for shape in self.arrays.values())

    @property
    def _length(self) -> int:
        return max(CHUNK_BYTES // self._each, 1)


def is_there(folder: Path, key: str) -> bool:
    """Whether a pack lies in `folder` that no one has touched since it was made or last found to be whole.

    Raises:
        ArtefactError: the folder holds the pack of another key.
    """
    told = content(folder)
    if told is None:
        return False
    found = str(told["about"].get("key"))
    if found != key:
        raise ArtefactError(
            f"{folder}: holds the pack of another key ({found[:16]}, not {key[:16]}) that begins alike; move it away"
        )
    return bool(told["stamps"] == _stamps(folder, told["arrays"]))


def damaged(folder: Path, workers: int) -> list[int] | None:
    """Read a pack and compare every checksum; notes when all is well, so that `is_there` knows.

    Returns:
        The numbers of the chunks that are not as they were; `None` where there is no pack, or not all of it.
    """
    told = content(folder)
    if told is None:
        return None
    form: Layout = told["form"]
    if any(not fits(folder / name, (form.number, *shape)) for name, shape in form.arrays.items()):
        return list(range(form.chunks))
    known = dict(enumerate(told["chunks"]))
    wrong = sorted(set(known) - whole(folder, form, known, workers))
    if not wrong:
        describe(folder, form, known, told["about"])
    return wrong


def whole(folder: Path, form: Layout, known: dict[int, str], workers: int) -> set[int]:
    """Which of the chunks whose checksums are known have them."""

    def look(number: int) -> bool:
        found, places = [], form.chunk(number)
        for name, shape in form.arrays.items():
            with (folder / name).open("rb") as file:
                file.seek(place(form, name, places))
                found.append(file.read(len(places) * math.prod(shape)))
        return digest(*found) == known[number]

    with ThreadPoolExecutor(workers) as pool:
        return {number for number, same in zip(known, pool.map(look, known), strict=True) if same}


def place(form: Layout, name: str, places: range) -> int:
    """Where in an array's file a chunk begins."""
    shape = form.arrays[name]
    return len(head((form.number, *shape))) + places.start * math.prod(shape)


def head(shape: tuple[int, ...]) -> bytes:
    """What a file in numpy's format begins with."""
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return written.getvalue()


def fits(file: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file is as long as an array, and begins as one."""
    first = head(shape)
    if not file.is_file() or file.stat().st_size != len(first) + math.prod(shape):
        return False
    with file.open("rb") as opened:
        return opened.read(len(first)) == first


def make_array(file: Path, shape: tuple[int, ...]) -> bool:
    """Make an array's file unless it is there; whether it was. Nothing but its head takes space yet."""
    if fits(file, shape):
        return True
    with file.open("wb") as opened:
        opened.write(head(shape))
        opened.truncate(len(head(shape)) + math.prod(shape))
    return False


def describe(folder: Path, form: Layout, digests: dict[int, str], about: dict[str, Any]) -> None:
    """Write `pack.json`.

    Args:
        folder: of the arrays.
        form: their shapes.
        digests: the checksum of each chunk: of its images, then of its labels.
        about: what the file says besides.
    """
    chunks = [digests[number] for number in range(form.chunks)]
    told = {
        "about": about,
        "number": form.number,
        "arrays": form.arrays,
        "bytes": form.bytes,
        "samples_a_chunk": len(form.chunk(0)),
        "stamps": _stamps(folder, form.arrays),
        "sha256": digest("".join(chunks).encode()),
        "chunks": chunks,
    }
    write_whole(folder / FILE_NAME, json.dumps(told, indent=1).encode())


def _stamps(folder: Path, names: Iterable[str]) -> dict[str, list[int]]:
    """Size and time of change of each array: while they stay, its checksums need not be looked at again."""
    found = {name: folder / name for name in names if (folder / name).is_file()}
    return {name: [file.stat().st_size, file.stat().st_mtime_ns] for name, file in found.items()}


def content(folder: Path) -> dict[str, Any] | None:
    """What `pack.json` says, and `form`, its `Layout`; `None` where it is missing or damaged."""
    try:
        told = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        shapes = {name: tuple(shape) for name, shape in told["arrays"].items()}
        form = Layout(told["number"], shapes[IMAGES], shapes.get(LABELS))
        same = told["sha256"] == digest("".join(told["chunks"]).encode()) and len(told["chunks"]) == form.chunks
        return {**told, "about": dict(told["about"]), "form": form} if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None
