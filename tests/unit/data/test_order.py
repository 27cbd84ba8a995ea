import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segda.data.order import Drawn, Order, RareClasses, Shuffled, Weighted, permutation
from segda.errors import DataError

# Four images of 100 pixels: road, car, bicycle, a class that is nowhere, and ignored ones.
PIXELS = np.array([[80, 20, 0, 0, 0], [90, 0, 0, 0, 10], [60, 30, 10, 0, 0], [50, 0, 1, 0, 49]])
ORDERS = [
    Shuffled(3, 7),
    RareClasses(PIXELS, 3),
    Weighted([Shuffled(3, 5), RareClasses(PIXELS, 3)], [5, 4], [2, 1], 3),
]


@given(st.integers(0, 2**31), st.integers(0, 1000), st.integers(1, 50))
def test_every_epoch_is_a_permutation(seed: int, epoch: int, n: int) -> None:
    drawn = [Shuffled(seed, n)(epoch * n + place).sample for place in range(n)]
    assert sorted(drawn) == list(range(n))
    assert drawn == permutation(seed, epoch, n).tolist()


def test_epochs_and_seeds_shuffle_differently() -> None:
    orders = [permutation(0, 0, 50), permutation(0, 1, 50), permutation(1, 0, 50)]
    assert len({tuple(each) for each in orders}) == 3


@pytest.mark.promise("data-order-resumes")
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_what_was_asked_for_before_changes_nothing(order: Order) -> None:
    forwards = [order(position) for position in range(60)]
    assert [order(position) for position in reversed(range(60))] == forwards[::-1]
    assert [order(position) for position in range(40, 60)] == forwards[40:]


def test_probabilities_of_classes_by_hand() -> None:
    # Shares of the 341 labelled pixels: 280, 50 and 11; e^(1 - f) at temperature 1.
    likelihood = [math.exp(1 - pixels / 341) for pixels in (280, 50, 11)]
    expected = [each / sum(likelihood) for each in likelihood] + [0]
    assert RareClasses(PIXELS, 0, temperature=1).probability == pytest.approx(expected)
    assert RareClasses(PIXELS, 0, temperature=1e6).probability == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0], abs=1e-5)
    assert RareClasses(PIXELS, 0, temperature=1e-3).probability == pytest.approx([0, 0, 1, 0], abs=1e-12)


def test_classes_are_drawn_so_often_and_images_that_show_them_alike() -> None:
    order, draws = RareClasses(PIXELS, 0, temperature=1, image_share=0.05), 6000
    drawn = Counter(order(position) for position in range(draws))
    of_class = Counter(dict.fromkeys(range(4), 0))
    for (_, wanted), count in drawn.items():
        of_class[wanted] += count
    shares = [of_class[wanted] / draws for wanted in range(4)]
    assert shares == pytest.approx(order.probability, abs=0.02)
    shown = {wanted: {sample for sample, drawn_for in drawn if drawn_for == wanted} for wanted in range(3)}
    assert shown == {0: {0, 1, 2, 3}, 1: {0, 2}, 2: {2}}, "one bicycle pixel of 100 is too little"
    assert drawn[Drawn(0, 1)] / of_class[1] == pytest.approx(0.5, abs=0.05)


def test_a_class_that_no_image_shows_enough_of_is_drawn_where_it_is_largest() -> None:
    order = RareClasses(PIXELS, 0, image_share=0.1)
    assert {order(position) for position in range(50)} == {Drawn(2, 2)}
    cars = RareClasses(PIXELS, 0, temperature=1, image_share=0.2)
    assert {drawn.sample for drawn in map(cars, range(50)) if drawn.wanted == 1} == {2}, "more than the share"


def test_labels_of_whole_images_count_as_one_pixel() -> None:
    order = RareClasses(np.array([[1, 0, 0]] * 9 + [[0, 1, 0]]), 0, temperature=10)
    drawn = Counter(order(position).wanted for position in range(2000))
    assert drawn[1] / 2000 == pytest.approx(order.probability[1], abs=0.04)
    assert all(order(position).sample == 9 for position in range(100) if order(position).wanted == 1)


def test_labels_without_any_class() -> None:
    with pytest.raises(DataError, match=r"^rare_classes: no pixel of the source's labels counts"):
        RareClasses(np.array([[0, 0, 5]]), 0)


def test_sets_are_drawn_by_weight_whatever_their_size() -> None:
    order = Weighted([Shuffled(0, 10), Shuffled(0, 1000)], [10, 1000], [3, 1], 0)
    drawn = [order(position).sample for position in range(4000)]
    assert sum(sample < 10 for sample in drawn) / 4000 == pytest.approx(0.75, abs=0.02)
    large = [sample for sample in drawn[:1000] if sample >= 10]
    assert len(set(large)) == len(large), "none comes twice in the positions of an epoch"
    assert max(drawn) < 1010


def test_rare_classes_of_each_set_by_itself() -> None:
    order = Weighted([RareClasses(PIXELS, 0), RareClasses(PIXELS[:, [1, 2, 0, 3, 4]], 0)], [4, 4], [1, 1], 0)
    assert {drawn for drawn in map(order, range(200)) if drawn.sample == 6} == {Drawn(6, 1)}
    assert {drawn.wanted for drawn in map(order, range(200)) if drawn.sample < 4} == {2}
