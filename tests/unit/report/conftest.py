"""Evaluations and pictures small enough to check by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from segda.evaluation.scores import Evaluation
from segda.label_space import LabelSpace
from segda.metrics.confusion import Confusion

CLASSES = ("road", "car", "sky")


@pytest.fixture
def space() -> LabelSpace:
    return LabelSpace("three", CLASSES, ((128, 64, 128), (0, 0, 142), (70, 130, 180)))


@pytest.fixture
def evaluation() -> Callable[..., dict[str, Any]]:
    """From the number of road pixels out of ten that are right to an evaluation's JSON; sky is absent.

    The wrong ones are taken for car, and all ten car pixels are right: road scores `right / 10`, and car
    `10 / (10 + wrong)`.
    """

    def make(right: int, classes: tuple[str, ...] = CLASSES, sky: int = 0, **protocol: Any) -> dict[str, Any]:
        confusion = Confusion(classes)
        confusion.counts[:2, :2] = [[right, 10 - right], [0, 10]]
        confusion.counts[2, 2] = sky
        return Evaluation(confusion, 4, {"images": 4, "resize": [32, 64], **protocol}).to_json()

    return make


@pytest.fixture
def photograph() -> np.ndarray:
    return np.full((20, 40, 3), (200, 100, 50), dtype=np.uint8)
