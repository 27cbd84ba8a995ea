"""From a file to an array: OpenCV for pictures, PIL for their heads and for index PNGs, whose palette OpenCV applies.

What a file is, its content says and not its name. A picture's head is read before anything of it is decoded: its
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
# Their pixels are not those that were written: of no use for numbers of classes.
_LOSSY = ("JPEG", "MPO")

# Numbers of a pixel by the kind of colour that a PNG's head names.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

# PIL has a limit of its own, half a warning and half an error; the one above comes before it. Its other warnings would
# stand beside the one line that a user is shown.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_rgb(path: Path) -> np.ndarray:
    """Decode a picture.

    Returns:
        uint8 RGB `[H, W, 3]`, as stored: an EXIF rotation is not applied, since labels do not have one. Palettes are
        looked up, grey is repeated, CMYK converted, alpha left out; of 16 bits the upper 8 are kept.

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
        # Grey of 2 or 4 bits would come stretched to 0..255, and so as other classes.
        if any(str(part).startswith("L;") for tile in getattr(image, "tile", ()) for part in tile[3:]):
            raise DataError(f"{path}: a grey label image of less than 8 bits; write it with 8, or with a palette")
        pixels = np.asarray(image)
        # PIL takes rows that are missing for rows of zeros, and so of another class.
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


def max_pixels() -> int:
    """The most pixels that an image may have: `SEGDA_MAX_PIXELS`, else 100 million.

    Raises:
        ConfigError: the variable is no whole number above 0.
    """
    return size_limits.most(MAX_PIXELS_VARIABLE, MAX_PIXELS, "pixels")


def _decode(path: Path, flags: int, *, exact: bool = False) -> np.ndarray:
    data = _content(path)
    with _opened(path, io.BytesIO(data), exact=exact) as image:
        if image.format == "PNG":
            _check_chunks(data)
        decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
        if decoded is None:
            raise ValueError("its pixels cannot be decoded")
        # Some OpenCV releases fill the missing rest of a JPEG with grey; PIL knows whether anything is missing.
        if data.startswith(b"\xff\xd8") and not data.endswith(b"\xff\xd9"):
            image.load()
    return decoded


def _content(path: Path) -> bytes:
    try:
        # To read a pipe would be to wait for ever.
        return path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise _broken(path, error) from error


@contextmanager
def _opened(path: Path, content: IO[bytes] | None = None, *, exact: bool = False) -> Iterator[Image.Image]:
    """An image file of which only the head is read; whatever goes wrong with it becomes a `DataError`.

    Args:
        path: the file.
        content: all of it, where that is read already.
        exact: refuse formats that do not keep their pixels.
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
    """Refuse an image by its head.

    Raises:
        DataError: too many pixels, several pictures, or a lossy format where `exact` is asked for.
    """
    if image.width * image.height > max_pixels():
        raise DataError(
            f"{path}: claims {image.height}x{image.width} pixels (height x width), above the limit of {max_pixels()}; "
            f"cut it into smaller ones or exclude it, or raise the limit: {MAX_PIXELS_VARIABLE}="
            f"{image.width * image.height}"
        )
    # A photograph of some telephones (MPO) has a preview behind it.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise DataError(f"{path}: an animation or several pages; write its pictures as files of their own")
    if exact and image.format in _LOSSY:
        raise DataError(
            f"{path}: a label in JPEG, which does not keep the numbers of its pixels; use the original, or write PNG"
        )


def _check_chunks(png: bytes, *, rows: bool = False) -> None:
    """Refuse a PNG that is cut off or changed; libpng would notice, too, but write lines of its own about it.

    Args:
        png: the whole file.
        rows: unpack the pixels, too, and count them.

    Raises:
        ValueError: a chunk that is not whole or does not have its checksum, or pixels that are missing.
    """
    view, place, kind = memoryview(png), 8, b""
    packed: list[memoryview] = []
    while kind != b"IEND":
        if place + 12 > len(png):
            raise ValueError("cut off")
        length, kind = int.from_bytes(view[place : place + 4], "big"), png[place + 4 : place + 8]
        end = place + 8 + length
        if end + 4 > len(png):
            raise ValueError("cut off")
        if zlib.crc32(view[place + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise ValueError(f"wrong checksum at byte {place}")
        if kind == b"IDAT":
            packed.append(view[place + 8 : end])
        place = end + 4
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", png[16:29])
    wanted = height * (1 + (width * bits * _CHANNELS.get(colour, 1) + 7) // 8)
    if interlaced:
        return  # whose rows are counted otherwise
    # Nothing is packed tighter than that; so small a file cannot hold what it claims.
    if wanted > size_limits.MAX_DEFLATE_RATIO * sum(len(part) for part in packed) + size_limits.MAX_DEFLATE_RATIO:
        raise ValueError("fewer pixels than its head claims")
    if rows:
        unpacker, found = zlib.decompressobj(), 0
        for part in packed:
            found += len(unpacker.decompress(part))
        if found < wanted:
            raise ValueError("fewer pixels than its head claims")


def _broken(path: Path, error: Exception | None = None) -> DataError:
    if path.is_symlink() and not path.exists():
        return DataError(f"{path}: a link that leads nowhere; mend it or exclude it")
    if not path.exists():
        return DataError(f"{path}: file is missing; it was there when the data set was indexed")
    if not path.is_file():
        return DataError(f"{path}: no file but a folder or device; put the image in its place or exclude it")
    if isinstance(error, OSError) and error.errno is not None:
        return DataError(f"{path}: cannot be read ({error.strerror}); mend its permissions or its disk, or exclude it")
    reason = " ".join(str(error).split()) if error is not None else ""
    # PIL names the stream that it was given, which says nothing.
    reason = "" if "<_io.BytesIO" in reason or "cannot identify" in reason else f" ({reason})" if reason else ""
    return DataError(
        f"{path}: not a readable image{reason}, {path.stat().st_size} bytes; fetch the file again or exclude it"
    )
