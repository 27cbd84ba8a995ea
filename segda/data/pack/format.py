"""The files of a pack: arrays in numpy's format, and `pack.json` with the checksum of every chunk of samples.

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
"""Small, so that all cores have work to the end and little is lost when packing is killed."""


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
        """Number of chunks."""
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
    """Whether `folder` holds a pack that has not changed since it was made or last checked.

    Raises:
        ArtefactError: the folder holds the pack of another key.
    """
    pack = content(folder)
    if pack is None:
        return False
    present = str(pack["about"].get("key"))
    if present != key:
        raise ArtefactError(
            f"{folder}: holds the pack of another key ({present[:16]}, not {key[:16]}) that begins alike; move it away"
        )
    return bool(pack["stamps"] == _stamps(folder, pack["arrays"]))


def damaged(folder: Path, workers: int) -> list[int] | None:
    """Read a pack and compare every checksum; when all are right, `pack.json` is written anew for `is_there`.

    Returns:
        The numbers of the damaged chunks; `None` where there is no pack, or not all of it.
    """
    pack = content(folder)
    if pack is None:
        return None
    layout: Layout = pack["layout"]
    if any(not fits(folder / name, (layout.number, *shape)) for name, shape in layout.arrays.items()):
        return list(range(layout.chunks))
    checksums = dict(enumerate(pack["chunks"]))
    wrong = sorted(set(checksums) - whole(folder, layout, checksums, workers))
    if not wrong:
        describe(folder, layout, checksums, pack["about"])
    return wrong


def whole(folder: Path, layout: Layout, checksums: dict[int, str], workers: int) -> set[int]:
    """The numbers of the chunks that have their checksums."""

    def is_whole(number: int) -> bool:
        parts, samples = [], layout.chunk(number)
        for name, shape in layout.arrays.items():
            with (folder / name).open("rb") as file:
                file.seek(offset(layout, name, samples))
                parts.append(file.read(len(samples) * math.prod(shape)))
        return digest(*parts) == checksums[number]

    with ThreadPoolExecutor(workers) as pool:
        return {number for number, same in zip(checksums, pool.map(is_whole, checksums), strict=True) if same}


def offset(layout: Layout, name: str, samples: range) -> int:
    """The byte of an array's file at which a chunk begins."""
    shape = layout.arrays[name]
    return len(head((layout.number, *shape))) + samples.start * math.prod(shape)


def head(shape: tuple[int, ...]) -> bytes:
    """The first bytes of a uint8 array in numpy's format."""
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(written, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return written.getvalue()


def fits(file: Path, shape: tuple[int, ...]) -> bool:
    """Whether a file has the head and the length of an array."""
    first = head(shape)
    if not file.is_file() or file.stat().st_size != len(first) + math.prod(shape):
        return False
    with file.open("rb") as opened:
        return opened.read(len(first)) == first


def make_array(file: Path, shape: tuple[int, ...]) -> bool:
    """Make an array's file, sparse but for its head, unless it is there; whether it was."""
    if fits(file, shape):
        return True
    with file.open("wb") as opened:
        opened.write(head(shape))
        opened.truncate(len(head(shape)) + math.prod(shape))
    return False


def describe(folder: Path, layout: Layout, checksums: dict[int, str], about: dict[str, Any]) -> None:
    """Write `pack.json`; a chunk's checksum is that of its images, then its labels, and `about` is further content."""
    chunks = [checksums[number] for number in range(layout.chunks)]
    pack = {
        "about": about,
        "number": layout.number,
        "arrays": layout.arrays,
        "bytes": layout.bytes,
        "samples_a_chunk": len(layout.chunk(0)),
        "stamps": _stamps(folder, layout.arrays),
        "sha256": digest("".join(chunks).encode()),
        "chunks": chunks,
    }
    write_whole(folder / FILE_NAME, json.dumps(pack, indent=1).encode())


def _stamps(folder: Path, names: Iterable[str]) -> dict[str, list[int]]:
    """Size and modification time of each array; while they stay, its checksums need not be compared again."""
    stats = {name: (folder / name).stat() for name in names if (folder / name).is_file()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def content(folder: Path) -> dict[str, Any] | None:
    """The content of `pack.json`, and its `Layout` as `layout`; `None` where it is missing or damaged."""
    try:
        pack = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        shapes = {name: tuple(shape) for name, shape in pack["arrays"].items()}
        layout = Layout(pack["number"], shapes[IMAGES], shapes.get(LABELS))
        same = pack["sha256"] == digest("".join(pack["chunks"]).encode()) and len(pack["chunks"]) == layout.chunks
        return {**pack, "about": dict(pack["about"]), "layout": layout} if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        return None
