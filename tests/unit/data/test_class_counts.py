from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segda.data.class_counts import count, histogram
from segda.data.dataset import Dataset
from segda.data.readers import points
from segda.errors import DataError
from segda.label_space import load


@pytest.mark.parametrize("workers", [0, 3])
def test_pixels_of_each_class_and_ignored_ones(
    make_dataset: Callable[..., Dataset], write_label: Callable[..., None], workers: int
) -> None:
    data = make_dataset(n=2, height=2, width=4)
    for sample, ids in zip(data.samples, ([[0, 0, 0, 255], [18, 1, 1, 255]], [[2] * 4] * 2), strict=True):
        assert sample.label is not None
        write_label(sample.label, ids)
    done: list[int] = []
    pixels = count(data, workers=workers, progress=done.append)
    assert pixels.shape == (2, 20)
    assert {index: int(pixels[0, index]) for index in np.flatnonzero(pixels[0])} == {0: 3, 1: 2, 18: 1, 19: 2}
    assert {index: int(pixels[1, index]) for index in np.flatnonzero(pixels[1])} == {2: 8}
    assert done == [1, 2]


def test_a_label_of_a_whole_image_is_one_pixel(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", points=np.zeros((3, 2)), labels=np.array([1, 0, 1]))
    assert count(points.build(tmp_path, load("moons"))).tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]


def test_a_set_without_labels(make_dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match="no label to count classes in; give labelled source data"):
        count(make_dataset(labels=False))


def test_more_pixels_than_float32_can_count() -> None:
    label = np.zeros((4097, 4096), dtype=np.uint8)
    label[0, :3] = 255
    assert {value: int(number) for value, number in enumerate(histogram(label)) if number} == {
        0: 4097 * 4096 - 3, 255: 3,
    }  # fmt: skip
