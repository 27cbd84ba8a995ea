"""Batches for the networks: samples are prefetched in order, and neighbours of equal shape are batched."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from segda.errors import DataError
from segda.evaluation.batching import as_input, batched, read_samples
from tests.unit.evaluation.test_evaluate import label_maps, write


def test_neighbours_of_one_shape_are_batched_in_order() -> None:
    items = ["aa", "bb", "cc", "d", "ee", "ff"]
    assert list(batched(items, len, 2)) == [["aa", "bb"], ["cc"], ["d"], ["ee", "ff"]]
    assert list(batched([], len, 2)) == []


def test_resize_takes_the_area_when_shrinking_and_interpolates_when_growing() -> None:
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    image[::4, ::4] = 160
    small = as_input(image, (2, 2))
    torch.testing.assert_close(small, torch.full((1, 3, 2, 2), 10 / 127.5 - 1))
    large = as_input(np.array([[[200] * 3, [0] * 3]], dtype=np.uint8), (1, 4))
    torch.testing.assert_close(large[0, 0, 0], torch.tensor([200.0, 150.0, 50.0, 0.0]) / 127.5 - 1)


def test_images_become_channels_first_from_minus_one_to_one() -> None:
    image = np.array([[[0, 51, 255], [255, 0, 0]]], dtype=np.uint8)
    assert as_input(image).shape == (1, 3, 1, 2)
    torch.testing.assert_close(as_input(image)[0, :, 0, 0], torch.tensor([-1.0, -0.6, 1.0]))


@pytest.mark.promise("few-files-at-a-time")
def test_one_sample_is_read_ahead_and_no_more(tmp_path: Path) -> None:
    dataset = write(tmp_path, label_maps(5))
    read: list[str] = []

    def decode(path: Path) -> np.ndarray:
        read.append(path.stem)
        return dataset.decode_image(path)

    samples = read_samples(replace(dataset, decode_image=decode), range(5), None)
    indices = []
    for sample in samples:
        indices.append(sample.index)
        for _ in range(100):  # time for the thread to read more than it may
            time.sleep(0.001)
        assert read == [str(number) for number in range(min(len(indices) + 1, 5))]
    assert indices == list(range(5))


def test_a_file_that_cannot_be_read_ends_it_at_its_turn(tmp_path: Path) -> None:
    dataset = write(tmp_path, label_maps(3))

    def decode(path: Path) -> np.ndarray:
        if path.stem == "1":
            raise DataError(f"{path}: broken")
        return dataset.decode_image(path)

    samples = read_samples(replace(dataset, decode_image=decode), range(3), None)
    assert next(samples).size == (32, 64)
    with pytest.raises(DataError, match=r"1\.png: broken"):
        next(samples)
