"""Colour statistics: mean and spread of each channel of Lab are the reference's afterwards, in all or in each class."""

import cv2
import numpy as np
import pytest
import torch

from segda.transfer import colour_statistics
from segda.transfer.colour_statistics import in_lab

CPU = torch.device("cpu")
ROAD, TREE, CAR, IGNORED = 0, 1, 2, 255


def lab(picture: np.ndarray) -> torch.Tensor:
    return colour_statistics.to_lab(torch.from_numpy(picture.reshape(-1, 3).T / 255.0))


def muted(seed: int, low: int = 90, high: int = 160) -> np.ndarray:
    """A picture whose colours stay within RGB when they are stretched a little."""
    return np.random.default_rng(seed).integers(low, high, (24, 30, 3), dtype=np.uint8)


def test_lab_of_known_colours() -> None:
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [119, 119, 119]], dtype=np.uint8)
    expected = torch.tensor([[0, 0, 0], [100, 0, 0], [53.24, 80.09, 67.20], [50.03, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(lab(colours), expected.T, atol=0.02, rtol=0)


def test_lab_is_opencvs() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    expected = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab).reshape(-1, 3).T
    np.testing.assert_allclose(lab(picture).numpy(), expected, atol=0.6)


def test_round_trip() -> None:
    rgb = torch.rand(3, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(colour_statistics.to_rgb(colour_statistics.to_lab(rgb)), rgb, atol=1e-9, rtol=0)


def test_statistics_by_hand() -> None:
    values = torch.tensor([[0.0, 2.0], [5.0, 5.0]])  # means 1 and 5, spreads 1 and 0
    reference = torch.tensor([[10.0, 16.0, 13.0, 13.0], [1.0, 3.0, 1.0, 3.0]])  # means 13 and 2, first spread sqrt(4.5)
    matched = colour_statistics.statistics_matched(values, reference)
    torch.testing.assert_close(matched[0], 13 + torch.tensor([-1.0, 1.0]) * 4.5**0.5)
    torch.testing.assert_close(matched[1], torch.tensor([2.0, 2.0]))  # flat: the mean alone


def test_mean_and_spread_are_the_references() -> None:
    image, reference = muted(0), muted(1, 100, 150)
    changed = lab(colour_statistics.build(CPU)(image, reference))
    reference = lab(reference)
    # Rounding to 8 bits moves them a little.
    torch.testing.assert_close(changed.mean(1), reference.mean(1), atol=0.1, rtol=0)
    torch.testing.assert_close(changed.std(1), reference.std(1), atol=0.1, rtol=0)
    assert (lab(image).std(1) - reference.std(1)).abs().max() > 1  # they differed before


def test_grey_stays_grey() -> None:
    grey = np.repeat(muted(2)[..., :1], 3, axis=2)
    other = np.repeat(muted(3, 20, 60)[..., :1], 3, axis=2)
    changed = colour_statistics.build(CPU)(grey, other)
    assert (changed == changed[..., :1]).all()
    assert abs(changed.mean() - other.mean()) < 1


def test_one_colour_takes_the_mean_and_black_is_finite() -> None:
    black = np.zeros((4, 5, 3), dtype=np.uint8)
    reference = muted(4)[:7, :9]
    changed = colour_statistics.build(CPU)(black, reference)
    assert changed.shape == black.shape
    assert (changed == changed[0, 0]).all()
    np.testing.assert_allclose(lab(changed).mean(1), lab(reference).mean(1), atol=0.5)


def test_extreme_colours_are_clipped() -> None:
    image, reference = muted(5), np.zeros((10, 10, 3), dtype=np.uint8)
    reference[::2] = 255
    changed = colour_statistics.build(CPU)(image, reference)
    assert changed.min() == 0
    assert changed.max() == 255


def halves(seed: int, left: int, right: int) -> np.ndarray:
    """A picture of 20x40 with grey levels near `left` in its left half and near `right` in its right half."""
    base = np.repeat(np.array([[left] * 20 + [right] * 20]), 20, axis=0)[..., None]
    noise = np.random.default_rng(seed).integers(-15, 16, (20, 40, 3))
    return (base + noise).astype(np.uint8)


def classes(left: int, right: int) -> np.ndarray:
    return np.repeat(np.array([[left] * 20 + [right] * 20], np.uint8), 20, axis=0)


def of_half(picture: np.ndarray, half: int) -> torch.Tensor:
    return in_lab(np.ascontiguousarray(picture[:, 20 * half : 20 * half + 20]), CPU)


def same_colours(changed: torch.Tensor, reference: torch.Tensor) -> bool:
    """Whether mean and spread of each channel are equal, but for the rounding to 8 bits."""
    pairs = ((changed.mean(1), reference.mean(1)), (changed.std(1), reference.std(1)))
    return all(torch.allclose(one, other, atol=0.25, rtol=0) for one, other in pairs)


def test_each_class_takes_its_own_colours() -> None:
    image, reference = halves(0, 60, 180), halves(1, 100, 140)
    changed = colour_statistics.build(CPU, by_class=True)(image, reference, classes(ROAD, TREE), classes(TREE, ROAD))
    assert same_colours(of_half(changed, 0), of_half(reference, 1))  # roads
    assert same_colours(of_half(changed, 1), of_half(reference, 0))  # trees
    assert not same_colours(of_half(image, 0), of_half(reference, 1))
    assert changed.dtype == np.uint8
    assert changed.shape == image.shape


@pytest.mark.parametrize("missing", [CAR, IGNORED])
def test_what_the_reference_lacks_takes_the_colours_of_all_of_it(missing: int) -> None:
    image, reference = halves(0, 90, 150), halves(1, 100, 140)
    changed = colour_statistics.build(CPU, by_class=True)(image, reference, classes(ROAD, missing), classes(TREE, ROAD))
    whole = colour_statistics.build(CPU)(image, reference)
    assert np.array_equal(changed[:, 20:], whole[:, 20:])
    assert not np.array_equal(changed[:, :20], whole[:, :20])


def test_a_few_pixels_of_the_reference_are_not_a_class() -> None:
    image, reference, seen = halves(0, 90, 150), halves(1, 100, 140), classes(ROAD, TREE)
    seen[0, :3] = CAR  # 3 of 800 pixels
    few = colour_statistics.build(CPU, by_class=True)(image, reference, classes(CAR, TREE), seen)
    assert np.array_equal(few[:, :20], colour_statistics.build(CPU)(image, reference)[:, :20])
    seen[0, :4] = CAR  # a share of 0.005
    enough = colour_statistics.build(CPU, by_class=True)(image, reference, classes(CAR, TREE), seen)
    assert not np.array_equal(enough, few)


@pytest.mark.parametrize("seen", [ROAD, TREE])
def test_a_spread_grows_by_a_factor_of_two_and_a_half_at_most(seen: int) -> None:
    flat = halves(0, 120, 120) // 8 + 105  # spreads of an eighth
    reference = halves(1, 60, 180)
    changed = colour_statistics.build(CPU, by_class=True)(flat, reference, classes(ROAD, ROAD), classes(seen, seen))
    factor = in_lab(changed, CPU).std(1) / in_lab(flat, CPU).std(1)
    assert factor[0] == pytest.approx(2.5, rel=0.05)  # the lightness, whose spread differs by more than that
    assert in_lab(changed, CPU).mean(1)[0] == pytest.approx(in_lab(reference, CPU).mean(1)[0], abs=0.5)


def test_labels_of_any_integer_type() -> None:
    image, reference = halves(0, 60, 180), halves(1, 100, 140)
    transfer, own, seen = colour_statistics.build(CPU, by_class=True), classes(ROAD, TREE), classes(TREE, ROAD)
    expected = transfer(image, reference, own, seen)
    assert np.array_equal(transfer(image, reference, own.astype(np.int64), seen.astype(np.int16)), expected)
