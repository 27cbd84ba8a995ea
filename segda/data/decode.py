"""From a file to an array: OpenCV for pictures, PIL for index PNGs, whose palette OpenCV would apply."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from segda.errors import DataError


def read_rgb(path: Path) -> np.ndarray:
    """Decode a picture.

    Returns:
        uint8 RGB `[H, W, 3]`, as stored: an EXIF rotation is not applied, since labels do not have one.

    Raises:
        DataError: the file is missing, empty, truncated or no image.
    """
    decoded = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def read_channels(path: Path) -> np.ndarray:
    """Decode an image file as it is stored, all channels and bits.

    Returns:
        uint8 or uint16 `[H, W, C]` in OpenCV's channel order (blue, green, red), or `[H, W]`.

    Raises:
        DataError: the file is missing, empty, truncated or no image.
    """
    return _decode(path, cv2.IMREAD_UNCHANGED)


def read_index(path: Path) -> np.ndarray:
    """Decode a palette or single-channel label image to the numbers that its pixels hold.

    Returns:
        integer `[H, W]`: uint8, or int32 for 16-bit files.

    Raises:
        DataError: the file is missing, truncated, or has several channels.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L", "I", "I;16", "I;16B"):
                raise DataError(
                    f"{path}: a label image of mode {image.mode}, but one channel or a palette was expected; "
                    "give the file of ids, not the coloured one"
                )
            pixels = np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _broken(path, error) from error
    return pixels if pixels.dtype == np.uint8 else pixels.astype(np.int32)


def image_size(path: Path) -> tuple[int, int]:
    """`(height, width)` of an image file, from its header alone.

    Raises:
        DataError: the file is missing or no image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _broken(path, error) from error


def _decode(path: Path, flags: int) -> np.ndarray:
    try:
        data = path.read_bytes()
        decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except (OSError, cv2.error) as error:
        raise _broken(path, error) from error
    if decoded is None:
        raise _broken(path)
    if data.startswith(b"\xff\xd8") and not data.endswith(b"\xff\xd9"):
        # Some OpenCV releases fill the missing rest of a JPEG with grey; PIL knows whether anything is missing.
        try:
            Image.open(io.BytesIO(data)).load()
        except OSError as error:
            raise _broken(path, error) from error
    return decoded


def _broken(path: Path, error: Exception | None = None) -> DataError:
    if not path.is_file():
        return DataError(f"{path}: file is missing; it was there when the data set was indexed")
    reason = f" ({' '.join(str(error).split())})" if error is not None else ""
    return DataError(
        f"{path}: not a readable image{reason}, {path.stat().st_size} bytes; fetch the file again or exclude it"
    )
