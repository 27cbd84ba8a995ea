"""Measure how large the classes are in the labels of a data set."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from segda.data.dataset import Dataset
from segda.errors import DataError
from segda.objectives.class_sizes import ClassSizes

LIMIT = 2000
"""Labels that are read of larger sets."""


def measure(
    datasets: Sequence[Dataset], limit: int = LIMIT, progress: Callable[[int], None] = lambda done: None
) -> ClassSizes:
    """Shares of an image's valid pixels that each class takes.

    Args:
        datasets: of one label space, opened with labels.
        limit: how many labels are read, spread evenly over the sets; reading all of a large set takes long and moves
            the tenths little.
        progress: gets the number of labels read.

    Returns:
        Means of the lowest tenth, of all, and of the highest tenth of the images that hold the class.

    Raises:
        DataError: the data set was opened without labels, or has one label an image.
    """
    samples = [(dataset, sample) for dataset in datasets for sample in dataset.samples]
    count, classes = min(limit, len(samples)), datasets[0].space.count
    shares = np.zeros((count, classes))
    for row in range(count):
        dataset, sample = samples[row * len(samples) // count]
        if sample.label is None:
            raise DataError(f"{sample.image}: no label to measure class sizes in; give labelled source data")
        label = dataset.decode_label(sample.label)
        if label.ndim != 2:
            raise DataError(f"{sample.label}: one label for the whole image; class sizes need one a pixel")
        found = np.bincount(label.ravel(), minlength=256)[:classes]
        shares[row] = found / max(found.sum(), 1)
        progress(row + 1)
    least, mean, most = (np.full(classes, math.nan) for _ in range(3))
    for index in range(classes):
        present = np.sort(shares[:, index][shares[:, index] > 0])
        if len(present):
            tenth = max(len(present) // 10, 1)
            least[index], mean[index], most[index] = present[:tenth].mean(), present.mean(), present[-tenth:].mean()
    return ClassSizes(*(torch.from_numpy(values).float() for values in (least, mean, most)))
