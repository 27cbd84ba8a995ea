"""TIFFs of any number of bands, which neither PIL nor OpenCV reads: their heads, and their pixels band by band.

The bands of a page are decoded as a grey page that is so many times as wide. Its head is written behind the file's own
bytes, so that OpenCV unpacks the file's own strips or tiles.
Source: TIFF 6.0, sections 2, 14 and 15; the 64-bit form is BigTIFF.
"""

import io
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from segda.errors import DataError

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION = 256, 257, 258, 259, 262, 274
_SAMPLES, _ROWS, _PLANAR, _PREDICTOR, _TILE_WIDTH, _EXTRA, _FORMAT = 277, 278, 284, 317, 322, 338, 339
_OFFSETS, _COUNTS, _SUBFILE = (273, 324), (279, 325), 254
_KEPT = (_HEIGHT, _COMPRESSION, 266, _ROWS, 323)

_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
# Uncompressed, LZW, deflate (two numbers), PackBits: a strip of theirs does not depend on what its numbers mean.
_NEUTRAL = (1, 5, 8, 32946, 32773)
_KINDS = {1: "u", 2: "i", 3: "f"}
_MOST_PAGES = 1000


@dataclass(frozen=True)
class Page:
    """One picture of a TIFF: the tags of its head that are whole numbers, and the file's byte order and form."""

    tags: Mapping[int, tuple[int, ...]]
    order: str  # `<` or `>`
    big: bool

    def value(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        return self.tags.get(tag, (default,))[0]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.tags[_WIDTH][0]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.tags[_HEIGHT][0]

    @property
    def bands(self) -> int:
        """Numbers a pixel, alpha included."""
        return self.value(_SAMPLES, 1)

    @property
    def bits(self) -> int:
        """Of each number."""
        return self.value(_BITS, 1)

    @property
    def kind(self) -> str:
        """Of the numbers, as numpy has it: `u`, `i` or `f`."""
        return _KINDS.get(self.value(_FORMAT, 1), "u")

    @property
    def orientation(self) -> int:
        """EXIF's number, 1 to 8."""
        tag = self.value(_ORIENTATION, 1)
        return tag if 1 <= tag <= 8 else 1

    @property
    def is_plain(self) -> bool:
        """Whether its bands are numbers of whole bytes that mean what they are; else OpenCV has to read it."""
        whole = set(self.tags.get(_BITS, (1,))) <= {8, 16, 32, 64} and len(set(self.tags.get(_BITS, (1,)))) == 1
        undone = self.value(_PREDICTOR, 1) < 3 or self.bands == 1 or self.value(_PLANAR, 1) == 2
        return (
            whole and undone and self.value(_COMPRESSION, 1) in _NEUTRAL and self.value(_PHOTOMETRIC, 1) in (1, 2)
        )  # fmt: skip


def pages(data: bytes) -> list[Page]:
    """The pictures of a TIFF, without reduced copies and masks.

    Raises:
        ValueError, KeyError, struct.error: the heads are damaged.
    """
    order, big = ("<" if data[:2] == b"II" else ">"), data[2:4] in (b"+\0", b"\0+")
    number, entry, head = ("Q", "HHQ8s", 8) if big else ("I", "HHI4s", 4)
    count_form, found, seen = ("Q" if big else "H"), [], set[int]()
    (offset,) = struct.unpack_from(order + number, data, head)
    while offset and offset not in seen and len(seen) < _MOST_PAGES:
        seen.add(offset)
        (count,) = struct.unpack_from(order + count_form, data, offset)
        start, size = offset + struct.calcsize(order + count_form), struct.calcsize(order + entry)
        entries = [struct.unpack_from(order + entry, data, start + index * size) for index in range(min(count, 4096))]
        tags = {tag: values for tag, *value in entries if (values := _values(data, order, number, *value))}
        if not tags.get(_SUBFILE, (0,))[0] & 5:
            found.append(Page(tags, order, big))
        (offset,) = struct.unpack_from(order + number, data, start + count * size)
    if not found or not all(_WIDTH in page.tags and _HEIGHT in page.tags for page in found):
        raise ValueError("no picture in it")
    return found


def _values(data: bytes, order: str, number: str, kind: int, count: int, value: bytes) -> tuple[int, ...]:
    """The whole numbers of a tag; none where it holds others, or leads out of the file."""
    form = _INTEGERS.get(kind)
    if form is None or count > len(data):
        return ()
    form = f"{order}{count}{form}"
    if struct.calcsize(form) <= len(value):
        return struct.unpack_from(form, value)
    (offset,) = struct.unpack(order + number, value)
    return struct.unpack_from(form, data, offset) if offset + struct.calcsize(form) <= len(data) else ()


def check_bands(path: Path, pages: Sequence[Page]) -> None:
    """Refuse a TIFF that does not say by itself which of its bands make a picture.

    Raises:
        DataError: several pages, more than four bands, or several that are no colours.
    """
    first = pages[0]
    choose = "give the data set `bands`, three numbers from 1, such as `bands: [3, 2, 1]`, or one"
    if len(pages) > 1 and first.bands == 1:
        raise DataError(
            f"{path}: {len(pages)} pages of one band; {choose}; or write its pictures as files of their own"
        )
    if len(pages) > 1:
        raise DataError(f"{path}: an animation or several pages; write its pictures as files of their own")
    has_alpha = first.bands == 2 and first.value(_EXTRA, 0) in (1, 2)
    if first.bands > 4 or (first.bands > 1 and first.value(_PHOTOMETRIC, 1) == 1 and not has_alpha):
        raise DataError(
            f"{path}: {first.bands} bands of {first.bits} bits, of which none are named red, green and blue; {choose}"
        )


def check_values(path: Path, page: Page) -> None:
    """Refuse a TIFF whose numbers do not say by themselves what is black and what white.

    Raises:
        DataError: floating-point or signed numbers, or more than 16 bits.
    """
    if page.kind != "u" or page.bits > 16:
        form = {"f": "floating-point", "i": "signed", "u": "whole"}[page.kind]
        raise DataError(
            f"{path}: {form} numbers of {page.bits} bits, of which none is known to be black or white; give the data "
            "set `values: [black, white]`, such as `values: [0, 1]`"
        )


def bands(data: bytes, pages: Sequence[Page]) -> np.ndarray:
    """The numbers of all pages that are plain, `[H, W, bands]`, those of the pages one after another.

    Raises:
        ValueError: pages differ in size or kind, or their pixels cannot be decoded.
    """
    if len({(page.height, page.width, page.bits, page.kind) for page in pages}) > 1:
        raise ValueError("its pages are of different sizes or kinds")
    return np.concatenate([_of_page(data, page) for page in pages], axis=2)


def _of_page(data: bytes, page: Page) -> np.ndarray:
    if page.bands > 1 and page.value(_PLANAR, 1) == 2:
        return np.concatenate([_grey(data, page, 1, part) for part in range(page.bands)], axis=2)
    return _grey(data, page, page.bands, None)


def _grey(data: bytes, page: Page, bands: int, part: int | None) -> np.ndarray:
    """`[H, W, bands]` of a page, or `[H, W, 1]` of its band `part`, where each has strips or tiles of its own."""
    tags: dict[int, Sequence[int]] = {tag: page.tags[tag] for tag in _KEPT if tag in page.tags}
    # OpenCV knows whole numbers of 8 and 16 bits; longer ones pass as floats of as many bits.
    tags |= {_WIDTH: [page.width * bands], _BITS: [page.bits], _SAMPLES: [1], _PHOTOMETRIC: [1], _PLANAR: [1]}
    tags[_FORMAT] = [3 if page.bits > 16 else 1]
    if _TILE_WIDTH in page.tags:
        tags[_TILE_WIDTH] = [page.tags[_TILE_WIDTH][0] * bands]
    for tag in (*_OFFSETS, *_COUNTS):
        if tag in page.tags:
            each = len(page.tags[tag]) // page.bands
            tags[tag] = page.tags[tag] if part is None else page.tags[tag][part * each : (part + 1) * each]
    predicted = page.value(_PREDICTOR, 1)
    if bands == 1:
        tags[_PREDICTOR] = [predicted]
    content = _with_head(data, page, tags)
    wide: np.ndarray | None
    if page.bits == 8 and _TILE_WIDTH in tags:  # OpenCV decodes no small tiles of these
        with Image.open(io.BytesIO(content), formats=("TIFF",)) as image:
            wide = np.array(image)
    else:
        wide = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if wide is None or wide.shape != (page.height, page.width * bands):
        raise ValueError("its pixels cannot be decoded")
    pixels = wide.reshape(page.height, page.width, bands).view(f"u{page.bits // 8}")
    if bands > 1 and predicted == 2:  # each number is the difference to the one of the pixel before it in its tile
        side = page.value(_TILE_WIDTH, page.width)
        for left in range(0, page.width, side):
            tile = pixels[:, left : left + side]
            tile[:] = np.cumsum(tile, axis=1, dtype=tile.dtype)
    return pixels.view(f"{page.kind}{page.bits // 8}")


def _with_head(data: bytes, page: Page, tags: Mapping[int, Sequence[int]]) -> bytes:
    """The file with another head, of 32- or 64-bit numbers, behind its bytes."""
    order, form, kind = page.order, ("Q" if page.big else "I"), (16 if page.big else 4)
    offset = math.ceil(len(data) / 8) * 8
    arrays, entries = bytearray(), []
    for tag, numbers in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        if len(numbers) > 1:
            packed, arrays = struct.pack(order + form, offset + len(arrays)), arrays + packed
        entries.append(struct.pack(f"{order}HH{form}", tag, kind, len(numbers)) + packed)
    count = struct.pack(order + ("Q" if page.big else "H"), len(entries))
    start = struct.pack(order + form, offset + len(arrays))
    head, rest = (data[:8], data[16:]) if page.big else (data[:4], data[8:])
    return (head + start + rest).ljust(offset, b"\0") + arrays + count + b"".join(entries) + bytes(len(start))
