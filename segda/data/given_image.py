"""An image as a caller holds it, a path, a PIL image, an array or a tensor, as decoded pixels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor

from segda.errors import DataError

GivenImage = str | Path | Image.Image | np.ndarray | Tensor
"""A picture's path, a PIL image, an array `[H, W, 3]` or a tensor `[3, H, W]`; both RGB, uint8 or floats in `[0, 1]`.

That the channels are red, green and blue cannot be seen: OpenCV reads them as blue, green and red.
"""

_MODES = ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr")  # of 8 bits, so that PIL converts them without loss
_NEAR = 1e-3  # of a whole number, for floats that are 8-bit numbers divided by 255


def pixels_of(image: GivenImage, read: Callable[[Path], np.ndarray]) -> np.ndarray:
    """The pixels of a given image, as `read` gives those of a file: uint8 RGB `[H, W, 3]`, or float32 in `[-1, 1]`.

    Floats that are 8-bit numbers divided by 255 become those numbers again. PIL images are turned upright by EXIF.

    Raises:
        DataError: another type, shape, kind of number or range of values; what `read` raises.
    """
    if isinstance(image, str | Path):
        return read(Path(image))
    if isinstance(image, Image.Image):
        if image.mode not in _MODES:
            raise DataError(f"image: a PIL image of mode {image.mode!r}, not of 8 bits; give the file's path instead")
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    if isinstance(image, Tensor):
        _check_shape("tensor", tuple(image.shape), channels=0, other="permute(2, 0, 1)")
        return _eight_bits(np.ascontiguousarray(image.detach().cpu().permute(1, 2, 0).numpy()))
    if isinstance(image, np.ndarray):
        _check_shape("array", image.shape, channels=2, other="transpose(1, 2, 0)")
        return _eight_bits(np.ascontiguousarray(image))
    raise DataError(
        f"image: found {type(image).__name__}; expected a path, a PIL image, an array [H, W, 3], a tensor [3, H, W], "
        "or a list of those"
    )


def _check_shape(kind: str, shape: tuple[int, ...], channels: int, other: str) -> None:
    """Refuse a shape whose axis `channels` is not of 3 channels; `other` turns one of the other order."""
    expected = "[H, W, 3]" if channels else "[3, H, W]"
    if len(shape) == 3 and shape[channels] == 3 and min(shape) > 0:
        return
    if len(shape) == 4:
        remedy = "give a list of images, not a batch"
    elif len(shape) == 3 and shape[2 - channels] == 3:
        remedy = f"its channels stand on the wrong side: use {other}"
    elif len(shape) == 2:
        remedy = "repeat a grey image's channel three times"
    else:
        remedy = "give red, green and blue"
    raise DataError(f"image: {kind} of shape {list(shape)}; expected {expected}; {remedy}")


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """uint8 as it is; floats in `[0, 1]` as uint8 where nothing is lost by that, else as float32 in `[-1, 1]`."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind != "f":
        raise DataError(f"image: {pixels.dtype} numbers; expected uint8 (0 to 255), or floats in [0, 1]")
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 1):  # false for NaN
        if high > 1 and low >= 0:
            remedy = "divide by 255, or give uint8"
        elif low >= -1 and high <= 1:
            remedy = "bring images in [-1, 1] to [0, 1]: (image + 1) / 2"
        else:
            remedy = "give them without mean and deviation subtracted: the network normalises by itself"
        raise DataError(f"image: floats from {low:.4g} to {high:.4g}; expected [0, 1]; {remedy}")
    scaled = pixels.astype(np.float32) * 255
    whole = np.rint(scaled)
    if np.abs(scaled - whole).max() < _NEAR:
        return whole.astype(np.uint8)
    return pixels.astype(np.float32) * 2 - 1
