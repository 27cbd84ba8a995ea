"""Learning-rate factors, against values computed by hand."""

import math

import pytest

from segda.engine.learning_rate import factor


def test_constant() -> None:
    assert [factor("constant", step, 3) for step in range(3)] == [1.0, 1.0, 1.0]


def test_poly_by_hand() -> None:
    """`(1 - step / steps) ** power`, which reaches 0 after the last step."""
    assert factor("poly", 0, 10) == 1.0
    assert factor("poly", 5, 10, power=2.0) == 0.25
    assert factor("poly", 9, 10) == pytest.approx(0.1**0.9)
    assert factor("poly", 10, 10) == 0.0


def test_cosine_by_hand() -> None:
    expected = [1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    assert [factor("cosine", step, 4) for step in range(4)] == pytest.approx(expected)


def test_linear_decay_is_cyclegans() -> None:
    """Two hundred epochs: constant for the first hundred, then linear decay."""
    assert [factor("linear_decay", epoch, 200) for epoch in (0, 99, 100)] == [1.0, 1.0, 1.0]
    assert factor("linear_decay", 150, 200) == pytest.approx(0.5)
    assert factor("linear_decay", 199, 200) == pytest.approx(0.01)
    assert factor("linear_decay", 5, 10, decay_from=0.0) == pytest.approx(0.5)


def test_warmup_rises_to_the_undamped_rate() -> None:
    assert [factor("constant", step, 100, warmup=4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert factor("poly", 1, 10, warmup=4, power=1.0) == pytest.approx(0.5 * 0.9)


@pytest.mark.parametrize("name", ["constant", "poly", "cosine", "linear_decay"])
def test_a_factor_never_leaves_zero_to_one(name: str) -> None:
    assert all(0 < factor(name, step, 50, warmup=5) <= 1 for step in range(50))
