"""Matched crops by hand."""

import numpy as np
import pytest

from segda.data import matched_crops
from segda.data.augmentation.crop import TrainTransform
from segda.data.matched_crops import Matches, PlacedCrop, window
from segda.data.order import Drawn


def test_windows_reach_from_corner_to_corner() -> None:
    assert matched_crops.count((4, 6)) == 15
    assert window((12, 26), (4, 6), 0) == (slice(0, 4), slice(0, 6))
    assert window((12, 26), (4, 6), 7) == (slice(4, 8), slice(10, 16))
    assert window((12, 26), (4, 6), 14) == (slice(8, 12), slice(20, 26))
    assert window((3, 26), (4, 6), 14) == (slice(0, 3), slice(20, 26)), "all of a side that is smaller"
    assert matched_crops.count(None) == 1
    assert window((12, 26), None, 0) == (slice(0, 12), slice(0, 26))


def test_descriptors_are_the_mean_direction_of_the_cells_that_a_crop_covers() -> None:
    features = np.zeros((2, 4, 4), np.float32)
    features[0, :2], features[1, 2:] = 3, 4
    whole = matched_crops.descriptors(features, (16, 16), None)
    np.testing.assert_allclose(whole, [[0.6, 0.8]], rtol=1e-6)
    crops = matched_crops.descriptors(features, (16, 16), (8, 8))
    np.testing.assert_allclose(crops[0], [1, 0])
    np.testing.assert_allclose(crops[14], [0, 1])
    np.testing.assert_allclose(crops[5], [0.6, 0.8], rtol=1e-6)
    assert not matched_crops.descriptors(features * 0, (16, 16), (8, 8)).any(), "no direction, and no NaN"


def test_the_nearest_come_first() -> None:
    angles = np.deg2rad([0, 80, 10, 40])
    others = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert matched_crops.nearest(others[:1], others, 3).tolist() == [[0, 2, 3]]
    assert matched_crops.nearest(others[1:2], others, 9).tolist() == [[1, 3, 2, 0]]


@pytest.fixture
def matches() -> Matches:
    """Source sample 1 looks like target samples 2 and 3, each at its own place; sample 0 like the last crop of 0."""
    table = np.full((30, 2), 14, np.int32)
    table[15:] = [(2 * 15 + place, 3 * 15 + 14 - place) for place in range(15)]
    return Matches(table, lambda position: Drawn(position % 2), (4, 6), seed=5)


def test_a_target_crop_is_one_of_the_neighbours_of_the_source_crop(matches: Matches) -> None:
    seen = set()
    for position in range(400):
        place = matches.source_place(position)
        drawn = matches(position).sample, matches.target_place(position)
        allowed = {(2, place), (3, 14 - place)} if position % 2 else {(0, 14)}
        assert drawn in allowed
        seen.add((position % 2, place, *drawn))
    assert len(seen) > 15 + 25, "all places, and both neighbours of most"


def test_what_is_drawn_depends_on_seed_and_position_alone(matches: Matches) -> None:
    forwards = [(matches(p), matches.source_place(p), matches.target_place(p)) for p in range(20)]
    backwards = [(matches(p), matches.source_place(p), matches.target_place(p)) for p in reversed(range(20))]
    assert forwards == backwards[::-1]


def test_a_placed_crop_is_resized_cut_and_mirrored() -> None:
    image = np.arange(24 * 52 * 3, dtype=np.uint32).reshape(24, 52, 3).astype(np.uint8)
    label = np.arange(24 * 52).reshape(24, 52).astype(np.uint8)
    placed = PlacedCrop(TrainTransform(crop=(8, 12), flip=True, seed=1), lambda position: position)
    mirrored = set()
    for place in range(15):
        rows, columns = window((24, 52), (8, 12), place)
        cut, seen = placed(image, label, place)
        mirrored.add(flipped := not np.array_equal(cut, image[rows, columns]))
        step = -1 if flipped else 1
        np.testing.assert_array_equal(cut, image[rows, columns][:, ::step])
        np.testing.assert_array_equal(seen, label[rows, columns][:, ::step])
    assert mirrored == {True, False}
    assert placed(image[:5], None, 3)[0].shape == (8, 12, 3), "padded"
    halved = PlacedCrop(TrainTransform(resize=(12, 26), crop=(4, 6), flip=False), lambda position: 7)
    small = TrainTransform(resize=(12, 26), flip=False)(image, None, 0)[0]
    np.testing.assert_array_equal(halved(image, None, 0)[0], small[4:8, 10:16])
