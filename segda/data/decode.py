"""From a file to an array: OpenCV for pictures, PIL for their heads and for index PNGs, whose palette OpenCV applies.

A file's format follows from its content, not its name. A picture's head is checked before anything is decoded: its
format, that it is one still picture, and its size, so that a small file which claims billions of pixels costs nothing.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from PIL import Image

from segda.data import size_limits
from segda.errors import DataError, SegdaError

MAX_PIXELS = 100_000_000
MAX_PIXELS_VARIABLE = "SEGDA_MAX_PIXELS"

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
# They do not keep the pixels that were written, and so no class ids.
_LOSSY = ("JPEG", "MPO")

# Channels by the colour type in a PNG's head.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

# PIL's own limit, half a warning and half an error, is replaced by the one above. Its other warnings would be printed
# next to the one line of our errors.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")
if hasattr(cv2, "setLogLevel"):  # before OpenCV 4.13
    cv2.setLogLevel(0)
else:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_rgb(path: Path) -> np.ndarray:
    """Decode a picture.

    Returns:
        uint8 RGB `[H, W, 3]`, as stored: an EXIF rotation is not applied, since labels do not have one. Palettes are
        looked up, grey is repeated, CMYK converted, alpha dropped; of 16 bits the upper 8 remain.

    Raises:
        DataError: the file is missing, empty, truncated, no image, animated, or too large.
        ConfigError: `SEGDA_MAX_PIXELS` is no number.
    """
    if hasattr(cv2, "IMREAD_COLOR_RGB"):  # since OpenCV 4.11: one pass over the pixels less
        return _decode(path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION), cv2.COLOR_BGR2RGB)


def read_channels(path: Path) -> np.ndarray:
    """Decode a label image as it is stored, all channels and bits.

    Returns:
        uint8 or uint16 `[H, W, C]` in OpenCV's channel order (blue, green, red), or `[H, W]`.

    Raises:
        DataError: as `read_rgb`, or a format that does not keep its pixels.
        ConfigError: as `read_rgb`.
    """
    return _decode(path, cv2.IMREAD_UNCHANGED, exact=True)


def read_index(path: Path) -> np.ndarray:
    """Decode a palette or single-channel label image to the numbers that its pixels hold.

    Returns:
        integer `[H, W]`: uint8, or int32 for 16-bit files.

    Raises:
        DataError: as `read_channels`, or several channels, or grey of less than 8 bits.
        ConfigError: as `read_rgb`.
    """
    with _opened(path, exact=True) as image:
        if image.mode not in ("P", "L", "I", "I;16", "I;16B"):
            raise DataError(
                f"{path}: a label image of mode {image.mode}, but one channel or a palette was expected; "
                "give the file of ids, not the coloured one"
            )
        # PIL stretches grey of 2 or 4 bits to 0..255, which would be other classes.
        if any(str(part).startswith("L;") for tile in getattr(image, "tile", ()) for part in tile[3:]):
            raise DataError(f"{path}: a grey label image of less than 8 bits; write it with 8, or with a palette")
        pixels = np.asarray(image)
        # PIL reads missing rows as zeros, which would be another class.
        if image.format == "PNG" and not pixels[-1].any():
            _check_chunks(_content(path), rows=True)
    return pixels if pixels.dtype == np.uint8 else pixels.astype(np.int32)


def image_size(path: Path) -> tuple[int, int]:
    """`(height, width)` of an image file, from its head alone.

    Raises:
        DataError: the file is missing, no image, animated, or too large.
        ConfigError: as `read_rgb`.
    """
    with _opened(path) as image:
        return image.height, image.width


def _decode(path: Path, flags: int, *, exact: bool = False) -> np.ndarray:
    data = _content(path)
    with _opened(path, io.BytesIO(data), exact=exact) as image:
        if image.format == "PNG":
            _check_chunks(data)
        decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
        if decoded is None:
            raise ValueError("its pixels cannot be decoded")
        # Some OpenCV releases fill the missing rest of a JPEG with grey; PIL raises an error.
        if data.startswith(b"\xff\xd8") and not data.endswith(b"\xff\xd9"):
            image.load()
    return decoded


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
    try:
        if not path.is_file():
            raise _broken(path)
        with Image.open(content or path, formats=_FORMATS) as image:
            _check(path, image, exact)
            yield image
    except (SegdaError, MemoryError):
        raise
    # A damaged file can fail anywhere: in its head, its checksums, its decompressor or a table of types.
    except Exception as error:
        raise _broken(path, error) from error


def _check(path: Path, image: Image.Image, exact: bool) -> None:
    """Refuse an image by its head: too many pixels, several pictures, or, where `exact`, a lossy format."""
    limit = size_limits.most(MAX_PIXELS_VARIABLE, MAX_PIXELS, "pixels")
    if image.width * image.height > limit:
        raise DataError(
            f"{path}: claims {image.height}x{image.width} pixels (height x width), above the limit of {limit}; "
            f"cut it into smaller ones or exclude it, or raise the limit: {MAX_PIXELS_VARIABLE}="
            f"{image.width * image.height}"
        )
    # Photographs of some phones (MPO) hold a preview as a second picture.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise DataError(f"{path}: an animation or several pages; write its pictures as files of their own")
    if exact and image.format in _LOSSY:
        raise DataError(
            f"{path}: a label in JPEG, which does not keep the numbers of its pixels; use the original, or write PNG"
        )


def _check_chunks(png: bytes, *, rows: bool = False) -> None:
    """Refuse a PNG that is cut off or changed, by a ValueError; libpng would print lines of its own.

    `rows` unpacks and counts the pixels, too.
    """
    view, start, kind = memoryview(png), 8, b""
    packed: list[memoryview] = []
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
            packed.append(view[start + 8 : end])
        start = end + 4
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    size = height * (1 + (width * bits * _CHANNELS.get(colour, 1) + 7) // 8)
    if interlaced:
        return  # rows have another layout
    if size > size_limits.MAX_DEFLATE_RATIO * sum(len(part) for part in packed) + size_limits.MAX_DEFLATE_RATIO:
        raise ValueError("fewer pixels than its head claims")
    if rows:
        unpacker = zlib.decompressobj()
        if sum(len(unpacker.decompress(part)) for part in packed) < size:
            raise ValueError("fewer pixels than its head claims")


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
