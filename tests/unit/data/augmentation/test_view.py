"""Where the pixels of a crop come from: image and label together, without aliasing, by draws of one distribution."""

from dataclasses import replace
from itertools import islice
from typing import Any

import cv2
import numpy as np
import pytest

from segda.data.augmentation.crop import TrainTransform
from segda.data.augmentation.view import Turn, View
from segda.data.resize import resize_image, resize_label


def middle(level: np.ndarray) -> np.ndarray:
    """The centre of mass of what lies in an image's upper left corner, `[2]`."""
    rows, columns = np.mgrid[: level.shape[0], : level.shape[1]]
    return np.array([(rows * level).sum(), (columns * level).sum()]) / level.sum()


@pytest.mark.parametrize(
    "options",
    [
        {"scale": (0.5, 2.0), "crop": (220, 250)},
        {"resize": (150, 150), "scale": (0.5, 2.0), "crop": (220, 250)},
        {"resize": (77, 301), "scale": (0.9, 1.1), "crop": (100, 330)},
        {"resize": (171, 113), "crop": (171, 113)},
        {"rotate": 40, "scale": (0.5, 2.0), "crop": (220, 250)},
    ],
)
def test_image_and_label_stay_on_one_another(options: dict[str, Any]) -> None:
    label = np.zeros((120, 110), np.uint8)
    cv2.ellipse(label, (50, 60), (25, 30), 20, 0, 360, 1, -1)
    image = np.dstack([label * 255] * 3)
    transform = TrainTransform(**options, fill="black", seed=1)
    offsets = []
    for position in range(80):
        seen, ids = transform(image, label, position)
        assert ids is not None
        inside = ids == 1
        if inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any():
            continue  # cut off
        offsets.append(middle(seen[:, :, 0].astype(float)) - middle(inside.astype(float)))
    assert len(offsets) > 20
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.1
    assert np.abs(offsets).max() < 0.5


def is_uniform(values: list[float], low: float, high: float) -> bool:
    """Kolmogorov and Smirnov's test at a level of one in ten thousand."""
    drawn, number = np.sort((np.array(values) - low) / (high - low)), len(values)
    return bool(np.abs(drawn - (np.arange(number) + 0.5) / number).max() < 2.23 / number**0.5)


@pytest.mark.promise("draws-by-position")
def test_factor_and_place_are_uniform_and_independent() -> None:
    transform = TrainTransform(resize=(720, 1280), crop=(360, 360), scale=(0.5, 2.0), seed=4)
    factors, tops, lefts, flips = [], [], [], []
    for position in range(1200):
        view = next(transform.views((1052, 1914), position))
        rows, columns = view.rows.stop - view.rows.start, view.columns.stop - view.columns.start
        factors.append(360 / rows * 1052 / 720)
        assert factors[-1] == pytest.approx(360 / columns * 1914 / 1280, rel=0.01), "one factor for both sides"
        tops.append(view.rows.start / (1052 - rows) if rows < 1050 else 0.0)
        lefts.append(view.columns.start / (1914 - columns))
        flips.append(view.flip)
        assert view.rows.start >= 0
        assert view.rows.stop <= 1052
        assert view.columns.stop <= 1914
    assert is_uniform(factors, 0.5, 2.0)
    assert is_uniform(lefts, 0, 1)
    assert is_uniform([top for top, factor in zip(tops, factors, strict=True) if factor > 0.6], 0, 1)
    assert 0.44 < np.mean(flips) < 0.56
    assert np.abs(np.corrcoef([factors, lefts, flips]) - np.eye(3)).max() < 0.12


def test_a_crop_at_half_the_size_has_the_pixels_of_the_whole_at_half_the_size() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    label = image[:, :, 0].copy()
    small, small_label = resize_image(image, (30, 40)), resize_label(label, (30, 40))
    transform = TrainTransform(crop=(10, 12), scale=(0.5, 0.5), flip=False)
    compared = 0
    for position in range(40):
        view = next(transform.views((60, 80), position))
        top, left = view.rows.start, view.columns.start
        if top % 2 or left % 2:
            continue
        seen, ids = transform.apply(view, image, label)
        there = slice(top // 2, top // 2 + 10), slice(left // 2, left // 2 + 12)
        np.testing.assert_array_equal(seen, small[there])
        np.testing.assert_array_equal(ids, small_label[there])  # type: ignore[arg-type]
        compared += 1
    assert compared > 4


@pytest.mark.parametrize("resize", [(16, 16), (16, 96), (96, 16)])
def test_what_shrinks_is_averaged_on_each_side(resize: tuple[int, int]) -> None:
    """Stripes that are finer than the result become grey, also where the other side grows."""
    fine = np.zeros((64, 64, 3), np.uint8)
    fine[:: 4 if resize[0] < 64 else 1, :: 4 if resize[1] < 64 else 1] = 240
    transform = TrainTransform(resize=resize, crop=(12, 12), scale=(1.0, 1.0))
    for position in range(3):
        seen, _ = transform(fine, None, position)
        assert np.abs(seen.astype(int) - (15 if resize == (16, 16) else 60)).max() <= 1


def test_a_quarter_turn_is_that_of_the_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    view = View(None, slice(0, 8), slice(0, 8), (8, 8), (8, 8), Turn(90, 0, 0), False)
    np.testing.assert_array_equal(view.image(image, 0), np.rot90(image))
    np.testing.assert_array_equal(view.label(image[:, :, 0]), np.rot90(image[:, :, 0]))
    moved = replace(view, turn=Turn(0, 2, -3)).image(image, 9)
    np.testing.assert_array_equal(moved[2:, :5], image[:6, 3:])
    assert (moved[:2] == 9).all()


def test_what_is_smaller_than_the_crop_lies_in_its_middle() -> None:
    image = np.full((10, 40, 3), 200, np.uint8)
    seen, ids = TrainTransform(crop=(13, 16), scale=(0.5, 0.5))(image, np.zeros((10, 40), np.uint8), 0)
    assert ids is not None
    assert (seen[4:9] == 200).all()
    assert (ids[4:9] == 0).all()
    for outside, level in ((seen, 128), (ids, 255)):
        assert (np.delete(outside, np.s_[4:9], axis=0) == level).all()


@pytest.mark.promise("pack-pixels")
def test_without_a_random_scale_a_crop_is_cut_from_the_resized_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    label = image[:, :, 1].copy()
    packed, packed_label = resize_image(image, (40, 50)), resize_label(label, (40, 50))
    for options in ({}, {"rotate": 20.0, "shift": 0.1}, {"crop": None}):
        transform = TrainTransform(**{"resize": (40, 50), "crop": (16, 24), **options})  # type: ignore[arg-type]
        for position in range(6):
            files, pack = transform(image, label, position), transform(packed, packed_label, position)
            np.testing.assert_array_equal(files[0], pack[0])
            np.testing.assert_array_equal(files[1], pack[1])  # type: ignore[arg-type]


@pytest.mark.promise("draws-by-position")
def test_views_are_a_function_of_seed_position_and_number() -> None:
    transform = TrainTransform(crop=(8, 12), scale=(0.5, 2.0), rotate=5, seed=3)

    def views(position: int) -> list[View]:
        return list(islice(transform.views((40, 60), position), 5))

    assert views(7) == views(7)
    assert len({str(view) for position in range(4) for view in views(position)}) == 20
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    seen, _ = transform.apply(views(7)[0], image, None)
    np.testing.assert_array_equal(seen, transform(image, None, 7)[0])
    label = image[:, :, 0].copy()
    for view in views(7):
        np.testing.assert_array_equal(view.label(label), transform.apply(view, image, label)[1])  # type: ignore[arg-type]
