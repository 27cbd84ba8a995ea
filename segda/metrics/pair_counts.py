"""How often each pair of a label and a prediction occurs: what all scores of pixels are counted from."""

import cv2
import numpy as np
import torch
from torch import Tensor

from segda.errors import DataError

Labels = np.ndarray | Tensor
"""Class indices of any integer type and shape; torch tensors may live on any device."""

VALUES = 256  # labels and predictions are 8-bit values, so one pair of them is an index below 65536
_EXACT = 1 << 24  # OpenCV answers in float32, which holds every whole number up to here


def count_pairs(label: Labels, prediction: Labels, name: str) -> np.ndarray:
    """How often each (label, prediction) pair of 8-bit values occurs: int64 `[256, 256]`.

    Args:
        label: values of any shape.
        prediction: values of the same shape.
        name: what to call the label in an error.

    Raises:
        DataError: a value is no whole number, or does not fit 8 bits.
    """
    if isinstance(label, Tensor) and isinstance(prediction, Tensor) and label.device.type != "cpu":
        return count_on_device(label, prediction, name)
    flat = (to_bytes(label, name), to_bytes(prediction, name))
    pairs = np.zeros((VALUES, VALUES), dtype=np.int64)
    for start in range(0, flat[0].size, _EXACT):
        # Several times as fast as numpy.bincount, which needs each pair as one 64-bit number.
        part = [_woven(values[start : start + _EXACT]) for values in flat]
        pairs += cv2.calcHist(part, [0, 1], None, [VALUES] * 2, [0, VALUES] * 2).astype(np.int64)
    return pairs


def _woven(values: np.ndarray) -> np.ndarray:
    """The values in another order, `[1, N]`: the four quarters in turns.

    Neighbours are mostly equal, and a processor that adds to one counter again and again waits for itself each time.
    """
    quarter = values.size // 4
    if not quarter:
        return values.reshape(1, -1)
    woven = cv2.merge(list(values[: 4 * quarter].reshape(4, 1, quarter))).reshape(1, -1)
    rest = values[4 * quarter :].reshape(1, -1)
    return np.hstack([woven, rest]) if rest.size else woven


def count_on_device(label: Tensor, prediction: Tensor, name: str) -> np.ndarray:
    """`count_pairs` where the tensors are: 512 KiB of counts are moved instead of the pixels."""
    for values in (label, prediction):
        if values.is_floating_point() or values.is_complex():
            raise DataError(f"{name}: values are {values.dtype}; expected whole numbers, such as class indices")
        if values.numel():
            _check_range(int(values.min()), int(values.max()), name)
    pairs = label.flatten().long() * VALUES + prediction.to(label.device).flatten().long()
    return torch.bincount(pairs, minlength=VALUES * VALUES).reshape(VALUES, VALUES).cpu().numpy()


def to_bytes(values: Labels, name: str) -> np.ndarray:
    """The values as flat uint8, after a check that none is lost by it."""
    array = (values.cpu().numpy() if isinstance(values, Tensor) else values).ravel()
    if array.dtype.kind not in "iu":
        raise DataError(f"{name}: values are {array.dtype}; expected whole numbers, such as uint8 class indices")
    if array.dtype != np.uint8 and array.size:
        _check_range(int(array.min()), int(array.max()), name)
    return array.astype(np.uint8, copy=False)


def _check_range(low: int, high: int, name: str) -> None:
    if low < 0 or high >= VALUES:
        raise DataError(
            f"{name}: value {low if low < 0 else high} is outside 0 to {VALUES - 1}; "
            "map native ids to the label space first"
        )
