"""From a file to an array: OpenCV for pictures, PIL for their heads and for index PNGs, whose palette OpenCV applies.

A photograph may be stored lying, with an EXIF tag that says how to turn it: an orientation from 1 (as stored) to 8.

A file's format follows from its content, not its name. A picture's head is checked before anything is decoded: its
format, that it is one still picture, and its size, so that a small file which claims billions of pixels costs nothing.
"""

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from segda.data import size_limits, tiff
from segda.errors import DataError, SegdaError

MAX_PIXELS = 100_000_000
MAX_PIXELS_VARIABLE = "SEGDA_MAX_PIXELS"

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
# They do not keep the pixels that were written, and so no class ids.
_LOSSY = ("JPEG", "MPO")

_PNG = b"\x89PNG"
_ORIENTATION = 0x0112
# What turns the stored pixels upright (EXIF 2.32, 4.6.4): mirrors, half and quarter turns.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, -1)[::-1],
    8: lambda pixels: np.rot90(pixels),
}
_INVERSE = {6: 8, 8: 6}  # the others undo themselves

# Channels by the colour type in a PNG's head.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

# PIL's own limit, half a warning and half an error, is replaced by the one above. Its other warnings, and what it logs,
# would be printed next to the one line of our errors.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
if hasattr(cv2, "setLogLevel"):  # before OpenCV 4.13
    cv2.setLogLevel(0)
else:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_rgb(path: Path) -> np.ndarray:
    """Decode a picture, turned upright if its EXIF tag says how.

    Returns:
        uint8 RGB `[H, W, 3]`. Palettes are looked up, grey is repeated, CMYK converted, alpha dropped; of 16 bits the
        upper 8 remain.

    Raises:
        DataError: the file is missing, empty, truncated, no image, animated, or too large; or the options must say
            which of its bands or values to take.
        ConfigError: `SEGDA_MAX_PIXELS` is no number.
    """
    return turned(*read_stored(path))


def read_stored(path: Path) -> tuple[np.ndarray, int]:
    """As `read_rgb`, but as it is stored, and its orientation, 1 to 8."""
    if hasattr(cv2, "IMREAD_COLOR_RGB"):  # since OpenCV 4.11: one pass over the pixels less
        return _decode(path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    pixels, tag = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), tag


def read_bands(path: Path, *, chosen: bool = True) -> tuple[np.ndarray, int]:
    """Decode all bands of a picture with all bits: `[H, W, bands]`, red first, as stored; and its orientation.

    Pages of a TIFF, of one band each, count as its bands. Unless `chosen`, the bands must be grey or colours, and
    alpha. Errors as in `read_rgb`.
    """
    data = _content(path)
    if data.startswith(tiff.SIGNATURES):
        with _reported(path):
            pages = tiff.pages(data)
            if not chosen:
                tiff.check_bands(path, pages)
            _check_size(path, pages[0].height, pages[0].width)
            if all(page.is_plain for page in pages):
                return tiff.bands(data, pages), pages[0].orientation
    pixels, tag = _decode(path, cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        return pixels[:, :, None], tag
    if data.startswith(_PNG) and data[25] == 4:  # grey and alpha, which OpenCV gives as colours
        return pixels[:, :, [0, 3]], tag
    return pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]], tag


def read_channels(path: Path) -> np.ndarray:
    """Decode a label image as it is stored, all channels and bits.

    Returns:
        uint8 or uint16 `[H, W, C]` in OpenCV's channel order (blue, green, red), or `[H, W]`.

    Raises:
        DataError: as `read_rgb`, or a format that does not keep its pixels.
        ConfigError: as `read_rgb`.
    """
    return _decode(path, cv2.IMREAD_UNCHANGED, exact=True)[0]


def read_index(path: Path) -> np.ndarray:
    """Decode a palette or grey label image to the numbers that its pixels hold, as stored.

    Returns:
        integer `[H, W]`: uint8, or int32 for 16-bit files; 0 and 1 for files of one bit.

    Raises:
        DataError: as `read_channels`, or colours.
        ConfigError: as `read_rgb`.
    """
    data = _content(path)
    # By name, PIL would map an uncompressed TIFF that lies on its side with the wrong number of columns.
    with _opened(path, io.BytesIO(data), exact=True) as image:
        if image.mode in ("RGB", "RGBA", "LA") and image.format != "WEBP":  # which may be lossy
            return _grey(path)
        if image.mode not in ("P", "L", "I", "I;16", "I;16B", "1"):
            raise DataError(
                f"{path}: a label image of mode {image.mode}, but whole numbers in one channel were expected; write "
                "them as PNG"
            )
        rows = _rows_as_stored(data) if image.format == "PNG" and image.mode == "P" else None
        if rows is not None:
            return rows
        tag, step = _orientation(image, path, data), _grey_step(image)
        pixels = np.asarray(image)
        # PIL reads missing rows as zeros, which would be another class.
        if image.format == "PNG" and not pixels[-1].any():
            _unpacked(data, _check_chunks(data))
        if image.format == "TIFF":
            pixels = turned(pixels, _INVERSE.get(tag, tag))
    if pixels.dtype == bool:
        return pixels.astype(np.uint8)
    if pixels.dtype == np.uint8:
        return pixels // step if step > 1 else pixels
    return pixels.astype(np.int32)


def _grey(path: Path) -> np.ndarray:
    """The numbers of a label image that has the same ones in red, green and blue; alpha does not count."""
    pixels = read_channels(path)
    if (pixels[:, :, :1] != pixels[:, :, 1:3]).any():
        raise DataError(
            f"{path}: a coloured label image, but numbers in one channel or a palette were expected; give the file of "
            "ids, not the coloured one, or read it by `name: folder` with `colours`"
        )
    return pixels[:, :, 0] if pixels.dtype == np.uint8 else pixels[:, :, 0].astype(np.int32)


def _grey_step(image: Image.Image) -> np.uint8:
    """What PIL multiplies grey of 2 or 4 bits by, so that it fills 0..255."""
    raw = [str(part) for tile in getattr(image, "tile", ()) for part in tile[3:]]
    bits = 2 if any(part.startswith("L;2") for part in raw) else 4 if any(part.startswith("L;4") for part in raw) else 8
    return np.uint8(255 // (2**bits - 1))


def orientation_of(path: Path) -> int:
    """The orientation of an image file, 1 to 8, from its head.

    Raises:
        DataError: as `image_size`.
    """
    with _opened(path) as image:
        return _orientation(image, path)


def palette_of(path: Path) -> bytes | None:
    """The palette of an image file, red, green and blue of each number in turn; `None` where it has none.

    Raises:
        DataError: as `image_size`.
    """
    with _opened(path) as image:
        return bytes(image.getpalette() or ()) if image.mode == "P" else None


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels `[H, W, ...]` as stored, turned upright: by EXIF's orientation from 1 (nothing) to 8."""
    return np.ascontiguousarray(_TURNS[orientation](pixels)) if orientation != 1 else pixels


def image_size(path: Path) -> tuple[int, int]:
    """`(height, width)` of an image file as it is stored, from its head alone.

    Raises:
        DataError: the file is missing, no image, animated, or too large.
        ConfigError: as `read_rgb`.
    """
    with _opened(path) as image:
        if isinstance(image, TiffImageFile):  # PIL turns these itself
            return image.tag_v2[257], image.tag_v2[256]
        return image.height, image.width


def _decode(path: Path, flags: int, *, exact: bool = False) -> tuple[np.ndarray, int]:
    """The pixels as they are stored, and the orientation."""
    data = _content(path)
    if data.startswith(tiff.SIGNATURES) and not exact:
        with _reported(path):
            pages = tiff.pages(data)
            tiff.check_bands(path, pages)
            tiff.check_values(path, pages[0])
            if pages[0].bands == 2 and pages[0].is_plain and pages[0].bits == 16:  # grey and alpha, unknown to PIL
                grey = tiff.bands(data, pages)[:, :, :1] >> 8
                return np.repeat(grey.astype(np.uint8), 3, axis=2), pages[0].orientation
    with _opened(path, io.BytesIO(data), exact=exact) as image:
        if image.format == "PNG":
            _check_chunks(data)
        tag = _orientation(image, path, data)
        decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
        if decoded is None:
            needed = f"; GIFs take OpenCV 4.12, here is {cv2.__version__}" if image.format == "GIF" else ""
            raise ValueError(f"its pixels cannot be decoded{needed}")
        # Some OpenCV releases fill the missing rest of a JPEG with grey; PIL raises an error.
        if data.startswith(b"\xff\xd8") and not data.endswith(b"\xff\xd9"):
            image.load()
        # OpenCV turns TIFFs whatever the flags say.
        return (turned(decoded, _INVERSE.get(tag, tag)) if image.format == "TIFF" else decoded), tag


def _orientation(image: Image.Image, path: Path, data: bytes | None = None) -> int:
    """The EXIF orientation of an opened file, 1 where it has none or one that means nothing."""
    if isinstance(image, TiffImageFile):
        tag = image.tag_v2.get(_ORIENTATION)
    else:
        if image.format == "PNG":  # PIL would decode all pixels to look for the tag behind them
            with path.open("rb") if data is None else io.BytesIO(data) as file:
                if not _has_exif(file):
                    return 1
        try:
            tag = image.getexif().get(_ORIENTATION)
        except Exception:  # a damaged tag, of which viewers take no notice either
            return 1
    return tag if isinstance(tag, int) and tag in _TURNS else 1


def _has_exif(png: IO[bytes]) -> bool:
    """Whether a PNG has a chunk of EXIF, or of text that may hold it, by the heads of its chunks."""
    position = 8
    while True:
        png.seek(position)
        head = png.read(24)
        if len(head) < 12:
            return False
        length, kind, text = struct.unpack(">I4s16s", head.ljust(24))
        if kind == b"eXIf" or text == b"Raw profile type":
            return True
        position += 12 + int(length)


def _content(path: Path) -> bytes:
    try:
        # Reading a pipe would wait for ever.
        return path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise _broken(path, error) from error


@contextmanager
def _opened(path: Path, content: IO[bytes] | None = None, *, exact: bool = False) -> Iterator[Image.Image]:
    """An image file, or its content, of which only the head is read; every error becomes a `DataError`.

    `exact` refuses formats that do not keep their pixels.
    """
    with _reported(path):
        if not path.is_file():
            raise _broken(path)
        with Image.open(content or path, formats=_FORMATS) as image:
            _check(path, image, exact)
            yield image


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Every error becomes a `DataError` that names the file."""
    try:
        yield
    except (SegdaError, MemoryError):
        raise
    # A damaged file can fail anywhere: in its head, its checksums, its decompressor or a table of types.
    except Exception as error:
        raise _broken(path, error) from error


def _check(path: Path, image: Image.Image, exact: bool) -> None:
    """Refuse an image by its head: too many pixels, several pictures, or, where `exact`, a lossy format."""
    _check_size(path, image.height, image.width)
    # Photographs of some phones (MPO) hold a preview as a second picture.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise DataError(f"{path}: an animation or several pages; write its pictures as files of their own")
    if exact and image.format in _LOSSY:
        raise DataError(
            f"{path}: a label in JPEG, which does not keep the numbers of its pixels; use the original, or write PNG"
        )


def _check_size(path: Path, height: int, width: int) -> None:
    limit = size_limits.most(MAX_PIXELS_VARIABLE, MAX_PIXELS, "pixels")
    if width * height > limit:
        raise DataError(
            f"{path}: claims {height}x{width} pixels (height x width), above the limit of {limit}; cut it into smaller "
            f"ones or exclude it, or raise the limit: {MAX_PIXELS_VARIABLE}={width * height}"
        )


def _check_chunks(png: bytes) -> bytes:
    """The packed pixels of a PNG; it is refused, by a ValueError, where it is cut off or changed.

    libpng would print lines of its own.
    """
    view, start, kind = memoryview(png), 8, b""
    parts: list[memoryview] = []
    while kind != b"IEND":
        if start + 12 > len(png):
            raise ValueError("cut off")
        length, kind = int.from_bytes(view[start : start + 4], "big"), png[start + 4 : start + 8]
        end = start + 8 + length
        if end + 4 > len(png):
            raise ValueError("cut off")
        if zlib.crc32(view[start + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise ValueError(f"wrong checksum at byte {start}")
        if kind == b"IDAT":
            parts.append(view[start + 8 : end])
        start = end + 4
    packed, size = b"".join(parts), _unpacked_size(png)
    if size > size_limits.MAX_DEFLATE_RATIO * (len(packed) + 1):
        raise ValueError("fewer pixels than its head claims")
    return packed


def _unpacked_size(png: bytes) -> int:
    """The bytes of a PNG's rows, each with one that names its filter; 0 where it is interlaced, in another layout."""
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    return 0 if interlaced else height * (1 + (width * bits * _CHANNELS.get(colour, 1) + 7) // 8)


def _unpacked(png: bytes, packed: bytes) -> bytes:
    """The rows of a PNG, still filtered; a ValueError where they are fewer than its head claims."""
    size = _unpacked_size(png)
    # Without a limit, a small file could unpack to more than the memory.
    unpacked = zlib.decompressobj().decompress(packed, size) if size else b""
    if len(unpacked) < size:
        raise ValueError("fewer pixels than its head claims")
    return unpacked


def _rows_as_stored(png: bytes) -> np.ndarray | None:
    """The pixels `[H, W]` of a palette PNG of 8 bits, if it is not interlaced and no row is filtered: the usual case.

    Unpacking alone takes less than PIL's way from the file to an array, and counts the rows.
    """
    width, height, bits, _, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    if bits != 8 or interlaced:
        return None
    rows = np.frombuffer(_unpacked(png, _check_chunks(png)), np.uint8).reshape(height, 1 + width)
    return None if rows[:, 0].any() else np.ascontiguousarray(rows[:, 1:])


def _broken(path: Path, error: Exception | None = None) -> DataError:
    if path.is_symlink() and not path.exists():
        return DataError(f"{path}: a link that leads nowhere; repair it or exclude it")
    if not path.exists():
        return DataError(f"{path}: file is missing; it was there when the data set was indexed")
    if not path.is_file():
        return DataError(f"{path}: a folder or device, not a file; replace it by the image or exclude it")
    if isinstance(error, OSError) and error.errno is not None:
        return DataError(f"{path}: cannot be read ({error.strerror}); repair its permissions or disk, or exclude it")
    reason = " ".join(str(error).split()) if error is not None else ""
    # PIL names the stream that it read, which helps nobody.
    reason = "" if "<_io.BytesIO" in reason or "cannot identify" in reason else f" ({reason})" if reason else ""
    return DataError(
        f"{path}: not a readable image{reason}, {path.stat().st_size} bytes; fetch the file again or exclude it"
    )
