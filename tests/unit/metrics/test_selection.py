"""Selection without target labels: values by hand, limits, and weights that tell which domain a sample resembles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segda.errors import DataError
from segda.metrics.selection import (
    CRITERIA,
    best,
    deep_embedded_validation,
    entropy,
    importance_weights,
    mutual_information,
    neighbourhood_density,
    weighted_risk,
)

CERTAIN, UNDECIDED = [1.0, 0.0], [0.5, 0.5]


def test_entropy_by_hand() -> None:
    """A certain prediction has entropy 0, an undecided one log 2."""
    assert entropy(np.array([CERTAIN, UNDECIDED])) == pytest.approx(math.log(2) / 2)
    assert entropy(np.array([[0.25, 0.75]])) == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(4 / 3))


def test_mutual_information_by_hand() -> None:
    balanced, collapsed = np.array([CERTAIN, [0.0, 1.0]]), np.array([CERTAIN, CERTAIN])
    assert mutual_information(balanced) == pytest.approx(math.log(2))
    assert mutual_information(collapsed) == pytest.approx(0)
    # The mean of the two is (3/4, 1/4).
    assert mutual_information(np.array([CERTAIN, UNDECIDED])) == pytest.approx(
        0.75 * math.log(4 / 3) + 0.25 * math.log(4) - math.log(2) / 2
    )
    assert entropy(balanced) == entropy(collapsed), "entropy alone does not see the collapse"


def test_density_by_hand() -> None:
    """Three predictions, two alike: each of those gives its twin weight 1 / (1 + e^-1) at temperature 1."""
    density = neighbourhood_density(np.array([CERTAIN, CERTAIN, [0.0, 1.0]]), temperature=1)
    share = 1 / (1 + math.exp(-1))
    entropy_of_twin = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert density == pytest.approx((2 * entropy_of_twin + math.log(2)) / 3)


def test_density_is_the_papers_formula_in_blocks_too() -> None:
    """The paper's formula, in one matrix, on more samples than fit in a block."""
    raw = np.random.default_rng(0).gamma(0.3, size=(1500, 4)) + 1e-6
    rows = raw / raw.sum(axis=1, keepdims=True)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = np.exp(unit @ unit.T / 0.05 - 20)
    np.fill_diagonal(similarity, 0)
    weights = similarity / similarity.sum(axis=1, keepdims=True)
    expected = -(weights * np.log(weights + 1e-300)).sum(axis=1).mean()
    assert neighbourhood_density(rows) == pytest.approx(expected, rel=1e-6)


def test_density_falls_where_predictions_scatter() -> None:
    """Two clusters of ten against twenty predictions in ten pairs of equal ones."""
    clusters = np.repeat(np.eye(10)[:2], 10, axis=0)
    pairs = np.repeat(np.eye(10), 2, axis=0)
    assert neighbourhood_density(clusters) == pytest.approx(math.log(9), abs=1e-4)
    assert neighbourhood_density(pairs) == pytest.approx(0, abs=1e-4)
    assert neighbourhood_density(np.repeat(np.eye(10)[:1], 20, axis=0)) == pytest.approx(math.log(19))


def test_risks_by_hand() -> None:
    """Losses 0, 1, 1 with weights 1/2, 1, 2: the weighted ones are 0, 1, 2.

    Their mean is 1, that of the weights 7/6; Cov = 3/4 and Var = 7/12, so eta = -9/7.
    """
    losses, weights = np.array([0.0, 1.0, 1.0]), np.array([0.5, 1.0, 2.0])
    assert weighted_risk(losses, weights) == pytest.approx(1)
    assert deep_embedded_validation(losses, weights) == pytest.approx(1 - 9 / 7 * (7 / 6 - 1))


def test_with_equal_weights_both_risks_are_the_plain_mean() -> None:
    losses = np.array([0.0, 0.2, 1.0])
    assert weighted_risk(losses, np.ones(3)) == deep_embedded_validation(losses, np.ones(3)) == pytest.approx(0.4)


@given(st.lists(st.floats(0.1, 5), min_size=3, max_size=20))
def test_a_constant_loss_is_estimated_exactly_by_embedded_validation(weights: list[float]) -> None:
    """The control variate then removes all variance for any weights."""
    risk = deep_embedded_validation(np.full(len(weights), 0.3), np.array(weights))
    spread = np.ptp(weights)
    assert risk == pytest.approx(0.3, abs=1e-6) or spread < 1e-3


def test_weights_are_one_without_a_shift_and_the_odds_with_one() -> None:
    """Normal distributions at 0 and 1: the odds at x are exp(x - 1/2)."""
    generator = np.random.default_rng(0)
    source, target = generator.normal(0, 1, (4000, 1)), generator.normal(1, 1, (2000, 1))
    positions = np.array([[-1.0], [0.0], [0.5], [2.0]])
    np.testing.assert_allclose(importance_weights(source, target, positions), np.exp(positions[:, 0] - 0.5), rtol=0.15)
    unshifted = importance_weights(source, generator.normal(0, 1, (2000, 1)), positions)
    np.testing.assert_allclose(unshifted, 1, atol=0.15)


def test_weighting_estimates_the_risk_on_the_target() -> None:
    """The loss is the distance from 1, which is small in the target domain."""
    generator = np.random.default_rng(1)
    fitted, held_out = generator.normal(0, 1, (3000, 1)), generator.normal(0, 1, (3000, 1))
    target = generator.normal(1, 1, (3000, 1))
    losses, truth = abs(held_out[:, 0] - 1), float(abs(target - 1).mean())
    weights = importance_weights(fitted, target, held_out)
    plain = abs(losses.mean() - truth)
    assert abs(weighted_risk(losses, weights) - truth) < plain / 2
    assert abs(deep_embedded_validation(losses, weights) - truth) < plain / 2


def test_separable_domains_and_constant_features_give_finite_weights() -> None:
    generator = np.random.default_rng(2)
    source, target = generator.normal(0, 1, (20, 3)), generator.normal(1e6, 1, (20, 3))
    source[:, 1] = target[:, 1] = 4
    weights = importance_weights(source, target, source)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    assert weights.max() < 1


def test_the_best_is_the_largest_or_the_smallest() -> None:
    values = {"a": 1.0, "b": 3.0, "c": 3.0, "d": 0.5}
    assert best(values, larger=True) == "b"
    assert best(values, larger=False) == "d"
    assert [name for name, criterion in CRITERIA.items() if criterion.larger] == [
        "neighbourhood density",
        "mutual information",
    ]
    with pytest.raises(DataError, match="no candidate"):
        best({}, larger=True)


@pytest.mark.parametrize(
    "rows", [np.zeros((0, 2)), np.array([0.5, 0.5]), np.array([[2.0, 3.0]]), np.array([[np.nan, 1]])]
)
def test_invalid_predictions_are_refused(rows: np.ndarray) -> None:
    for criterion in (entropy, mutual_information, neighbourhood_density):
        with pytest.raises(DataError, match="selection: predictions are"):
            criterion(rows)


def test_invalid_features_and_losses_are_refused() -> None:
    good = np.random.default_rng(0).normal(size=(9, 2))
    with pytest.raises(DataError, match=r"target features are \[7, 2\].*at least 8"):
        importance_weights(good, good[:7], good)
    with pytest.raises(DataError, match=r"sizes \[2, 3\], expected one"):
        importance_weights(good, np.ones((9, 3)), good)
    with pytest.raises(DataError, match="source features are not all finite"):
        importance_weights(good * np.inf, good, good)
    with pytest.raises(DataError, match=r"losses \[2\], weights \[3\]"):
        weighted_risk(np.zeros(2), np.ones(3))
    with pytest.raises(DataError, match="not all finite"):
        deep_embedded_validation(np.array([0.0, np.nan]), np.ones(2))
