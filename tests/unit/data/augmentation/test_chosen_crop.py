from itertools import islice

import numpy as np
import pytest

from segda.data.augmentation.chosen_crop import ChosenCrop
from segda.data.augmentation.crop import TrainTransform
from segda.data.order import Drawn, Order

CROP = TrainTransform(crop=(8, 8), scale=(0.8, 1.2), seed=2)
ANY = TrainTransform(crop=(8, 8), flip=False, seed=2)


def wants(wanted: int | None) -> Order:
    return lambda position: Drawn(0, wanted)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Road (0), a car (1) of 6x6 pixels in a corner, and unlabelled rows at the bottom; the image shows the label."""
    label = np.zeros((40, 40), dtype=np.uint8)
    label[2:8, 2:8] = 1
    label[36:] = 255
    return np.dstack([label] * 3), label


def test_the_first_crop_that_shows_enough_is_taken() -> None:
    image, label = scene()
    chosen = ChosenCrop(CROP, wants(1), crop_share=0.1, tries=1000)
    first = 0
    for position in range(20):
        crop, crop_label = chosen(image, label, position)
        assert crop_label is not None
        assert (crop_label == 1).mean() > 0.1
        views = islice(CROP.views(label.shape, position), 1000)
        good = next(view for view in views if (view.label(label) == 1).mean() > 0.1)
        expected, expected_label = CROP.apply(good, image, label)
        assert np.array_equal(crop, expected)
        assert np.array_equal(crop_label, expected_label)
        first += good == next(CROP.views(label.shape, position))
    assert first < 10, "most first crops do not show it"


def test_of_crops_that_all_show_too_little_the_one_with_most_is_taken() -> None:
    image, label = scene()
    chosen = ChosenCrop(ANY, wants(1), crop_share=0.9, tries=12)
    for position in range(10):
        shown = [(view.label(label) == 1).sum() for view in islice(ANY.views(label.shape, position), 12)]
        crop_label = chosen(image, label, position)[1]
        assert (crop_label == 1).sum() == max(shown)
        assert np.array_equal(
            crop_label, list(islice(ANY.views(label.shape, position), 12))[int(np.argmax(shown))].label(label)
        ), "the first of equals"


def test_no_class_fills_the_crop() -> None:
    image, label = scene()
    chosen = ChosenCrop(ANY, wants(None), largest_class=0.9, tries=200)
    for position in range(20):
        crop_label = chosen(image, label, position)[1]
        assert crop_label is not None
        labelled = crop_label[crop_label != 255]
        assert 0 < np.bincount(labelled).max() / len(labelled) <= 0.9
    unlabelled = np.full_like(label, 255)
    assert np.array_equal(chosen(image, unlabelled, 3)[0], ANY(image, unlabelled, 3)[0]), "all are alike: the first"


def test_a_crop_that_shows_enough_goes_before_one_that_is_not_filled() -> None:
    label = np.zeros((8, 16), dtype=np.uint8)
    label[:, :8] = 1  # the left half is car alone, so a crop in the middle is mixed
    label[:, 12:] = 2
    chosen = ChosenCrop(ANY, wants(1), crop_share=0.7, largest_class=0.6, tries=30)
    for position in range(10):
        crop_label = chosen(np.dstack([label] * 3), label, position)[1]
        shares = [(view.label(label) == 1).mean() for view in islice(ANY.views(label.shape, position), 30)]
        assert (crop_label == 1).mean() == min(share for share in shares if share > 0.7)


@pytest.mark.parametrize("label", [None, np.array(1, dtype=np.uint8)])
def test_without_a_label_map_the_first_crop_is_taken(label: np.ndarray | None) -> None:
    image, _ = scene()
    chosen = ChosenCrop(CROP, wants(1))
    for position in range(5):
        assert np.array_equal(chosen(image, label, position)[0], CROP(image, label, position)[0])
