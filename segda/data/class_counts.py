"""How many pixels of each class every label of a data set holds."""

from collections.abc import Callable

import cv2
import numpy as np

from segda.data.dataset import Dataset
from segda.data.prefetch import in_order
from segda.errors import DataError


def count(dataset: Dataset, *, workers: int = 2, progress: Callable[[int], None] = lambda done: None) -> np.ndarray:
    """Read every label of a data set once.

    Args:
        dataset: opened with labels.
        workers: threads that read.
        progress: gets the number of labels read.

    Returns:
        int64 `[N, K + 1]`: of each label the pixels of each class, and last those that are ignored. A label that is one
        class for the whole image counts as one pixel.

    Raises:
        DataError: the data set was opened without labels; a label is broken, or holds an unknown id.
    """

    def read(index: int) -> np.ndarray:
        sample = dataset.samples[index]
        if sample.label is None:
            raise DataError(f"{sample.image}: no label to count classes in; give labelled source data")
        label = dataset.decode_label(sample.label)
        found = histogram(label)[: dataset.space.count]
        return np.append(found, label.size - found.sum())

    rows = np.zeros((len(dataset), dataset.space.count + 1), dtype=np.int64)
    read_ahead = in_order(read, range(len(dataset)), workers=workers, ahead=4 * workers)
    for index, row in enumerate(read_ahead):
        rows[index] = row
        progress(index + 1)
    return rows


def histogram(label: np.ndarray) -> np.ndarray:
    """How often each value is there: uint8 of any shape, also without dimensions, to int64 `[256]`."""
    # Faster than numpy's, and outside Python's lock. It counts in float32, which is exact up to 2^24.
    parts = np.array_split(label.reshape(1, -1), -(-label.size // (1 << 24)), axis=1)
    counts = [cv2.calcHist([part], [0], None, [256], [0, 256]) for part in parts]
    return np.sum(counts, axis=0, dtype=np.int64).ravel()
