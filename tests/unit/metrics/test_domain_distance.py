"""The proxy A-distance against exact values, and where a naive estimate would be wrong."""

import math

import numpy as np
import pytest

from segda.errors import DataError
from segda.metrics.domain_distance import Bound, divergence, joint_error


def normal(count: int, size: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, (count, size))


def test_domains_of_one_distribution_are_at_distance_zero() -> None:
    distances = [divergence(normal(400, 5, seed=k), normal(400, 5, seed=100 + k), seed=k).distance for k in range(5)]
    assert abs(np.mean(distances)) < 0.1


def test_many_useless_features_do_not_separate_equal_distributions() -> None:
    """With more features than samples any training set is separable; held-out samples are not."""
    distances = [divergence(normal(60, 300, seed=k), normal(60, 300, seed=50 + k), seed=k).distance for k in range(4)]
    assert abs(np.mean(distances)) < 0.4


def test_separable_domains_are_at_distance_two() -> None:
    assert divergence(normal(200, 3, -10), normal(200, 3, 10, seed=1)).distance == 2


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0])
def test_two_normal_distributions_have_the_distance_of_the_best_threshold(shift: float) -> None:
    """The best threshold is the midpoint, with error probability Phi(-shift / 2)."""
    error = 0.5 * math.erfc(shift / 2 / math.sqrt(2))
    shifted = divergence(normal(8000, 1), normal(8000, 1, shift, seed=1))
    assert shifted.error == pytest.approx(error, abs=0.02)
    assert shifted.distance == pytest.approx(2 * (1 - 2 * error), abs=0.08)


def test_scale_and_number_of_samples_do_not_matter() -> None:
    """Without balancing, always guessing the larger domain would be right two times in three."""
    source, target = normal(3000, 2), normal(1500, 2, seed=1)
    equal = divergence(source, target)
    assert equal.samples == 1500
    assert equal.error == pytest.approx(0.5, abs=0.05)
    shifted = normal(1500, 2, 1.0, seed=1)
    assert divergence(source, shifted).error == pytest.approx(divergence(1e4 * source, 1e4 * shifted).error, abs=1e-9)


def test_the_same_seed_gives_the_same_number() -> None:
    source, target = normal(100, 4), normal(100, 4, 0.5, seed=1)
    assert divergence(source, target, seed=3) == divergence(source, target, seed=3)


def test_the_joint_error_is_none_where_one_rule_serves_both_and_large_where_none_does() -> None:
    features = normal(600, 1)
    label = (features[:, 0] > 0).astype(int)
    assert joint_error(features, label, features + 0, label) < 0.05
    # The target's classes are swapped, so a classifier that is right on the source is wrong on the target.
    assert joint_error(features, label, features, 1 - label) == pytest.approx(1, abs=0.1)


def test_the_bound_is_the_sum_of_its_parts_and_none_without_target_labels() -> None:
    assert Bound(0.1, 0.6, 0.2).value == pytest.approx(0.6)
    assert Bound(0.1, 0.6).value is None


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (normal(4, 2), normal(9, 2), "at least 8 samples"),
        (normal(9, 2), normal(9, 3), "encode both with one network"),
        (np.full((9, 2), np.nan), normal(9, 2), "diverged"),
        (normal(9, 2)[:, :, None], normal(9, 2), r"\[9, 2, 1\]"),
    ],
)
def test_invalid_features_are_refused(source: np.ndarray, target: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        divergence(source, target)


def test_a_single_class_has_no_joint_error() -> None:
    with pytest.raises(DataError, match="of one class|of class 0"):
        joint_error(normal(20, 2), np.zeros(20, int), normal(20, 2), np.zeros(20, int))
