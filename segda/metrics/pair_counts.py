"""Counts of each pair of label and prediction, from which all scores of pixels follow."""

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from segda.errors import ConfigError, DataError

Labels = np.ndarray | Tensor
"""Class indices of any integer type and shape; torch tensors may live on any device."""

VALUES = 256  # labels and predictions are 8-bit values, so a pair is an index below 65536
_EXACT = 1 << 24  # OpenCV counts in float32, which is exact up to this number


def count_pairs(label: Labels, prediction: Labels, name: str) -> np.ndarray:
    """Counts of each (label, prediction) pair of 8-bit values of one shape: int64 `[256, 256]`; `name` is for messages.

    Raises:
        DataError: values are not integers, or do not fit into 8 bits.
    """
    if isinstance(label, Tensor) and isinstance(prediction, Tensor) and label.device.type != "cpu":
        return count_on_device(label, prediction, name)
    flat = (to_bytes(label, name), to_bytes(prediction, name))
    pairs = np.zeros((VALUES, VALUES), dtype=np.int64)
    for start in range(0, flat[0].size, _EXACT):
        # Several times as fast as numpy.bincount, which needs each pair as one 64-bit number.
        part = [_interleaved(values[start : start + _EXACT]) for values in flat]
        pairs += cv2.calcHist(part, [0, 1], None, [VALUES] * 2, [0, VALUES] * 2).astype(np.int64)
    return pairs


def _interleaved(values: np.ndarray) -> np.ndarray:
    """The four quarters of the values interleaved, `[1, N]`.

    Neighbours are mostly equal, and each increment of a counter would have to wait for the one before.
    """
    quarter = values.size // 4
    if not quarter:
        return values.reshape(1, -1)
    interleaved = cv2.merge(list(values[: 4 * quarter].reshape(4, 1, quarter))).reshape(1, -1)
    rest = values[4 * quarter :].reshape(1, -1)
    return np.hstack([interleaved, rest]) if rest.size else interleaved


def count_on_device(label: Tensor, prediction: Tensor, name: str) -> np.ndarray:
    """`count_pairs` on the tensors' device, so that 512 KiB of counts are copied instead of the pixels."""
    for values in (label, prediction):
        if values.is_floating_point() or values.is_complex():
            raise DataError(f"{name}: values are {values.dtype}; expected whole numbers, such as class indices")
        if values.numel():
            _check_range(int(values.min()), int(values.max()), name)
    pairs = label.flatten().long() * VALUES + prediction.to(label.device).flatten().long()
    return torch.bincount(pairs, minlength=VALUES * VALUES).reshape(VALUES, VALUES).cpu().numpy()


def to_bytes(values: Labels, name: str) -> np.ndarray:
    """The values as flat uint8, after a check that all of them fit."""
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


def check_classes(classes: int, ignore_index: int, name: str) -> None:
    """Check the number of classes against the ignore index.

    Raises:
        ConfigError: no class, or an ignore index that is a class or does not fit into 8 bits.
    """
    if not 0 < classes <= ignore_index < VALUES:
        raise ConfigError(
            f"{name}: {classes} classes with ignore index {ignore_index}; give at least one class, and an ignore index "
            f"from the number of classes to {VALUES - 1}"
        )


def read_counts(values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Counts from JSON as int64.

    Raises:
        ValueError: another shape, or not integers of at least 0.
    """
    counts = np.array(values)
    if counts.shape != shape or counts.dtype.kind != "i" or (counts < 0).any():
        raise ValueError(f"found counts {counts.dtype} {counts.shape}, expected integers of at least 0, {shape}")
    return counts.astype(np.int64)


def mean_of_present(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN, without a warning, if there is none."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")
