"""Means over parts, by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from segda.report import table
from segda.report.average import average

Make = Callable[..., dict[str, Any]]


def test_each_part_counts_the_same_and_counts_are_added_up(evaluation: Make) -> None:
    """Road scores 0.2 and 0.8, car 10 / 18 and 10 / 12; sky is absent."""
    small, large = evaluation(2), evaluation(8)
    mean = average({"a": small, "b": large})
    assert mean["iou"] == {"road": pytest.approx(0.5), "car": pytest.approx((10 / 18 + 10 / 12) / 2), "sky": None}
    own = [(0.2 + 10 / 18) / 2, (0.8 + 10 / 12) / 2]
    assert [part["scores"]["mean_iou"] for part in mean["parts"].values()] == pytest.approx(own)
    assert mean["scores"]["mean_iou"] == pytest.approx(sum(own) / 2)
    assert mean["confusion"]["counts"] == [[10, 10, 0], [0, 20, 0], [0, 0, 0]]
    assert mean["absent"] == ["sky"]
    assert mean["parts"] == {"a": small, "b": large}


def test_a_class_that_a_part_lacks_is_averaged_over_the_others(evaluation: Make) -> None:
    mean = average({"a": evaluation(2), "b": evaluation(2, sky=5)})
    assert mean["iou"]["sky"] == 1
    assert mean["absent"] == []
    road_and_car = (0.2 + 10 / 18) / 2
    assert mean["scores"]["mean_iou"] == pytest.approx((road_and_car + (2 * road_and_car + 1) / 3) / 2)


def test_subspaces_and_categories_are_averaged_and_the_protocol_says_where_parts_differ(evaluation: Make) -> None:
    groups = {"categories": ["ground", "ground", "sky"], "subspaces": {"two": ["road", "sky"]}}
    mean = average({"a": evaluation(2, split="x", **groups), "b": evaluation(8, split="y", **groups)})
    assert mean["subspaces"] == {"two": {"classes": 2, "mean_iou": pytest.approx(0.5)}}
    assert mean["categories"]["iou"]["ground"] == 1
    assert mean["protocol"]["split"] == {"a": "x", "b": "y"}
    assert mean["protocol"]["resize"] == [32, 64]
    assert mean["protocol"]["averaged_over"] == ["a", "b"]


def test_a_table_shows_every_part(evaluation: Make) -> None:
    rows = [
        table.Result(name, [average({"a": evaluation(right), "b": evaluation(8)})])
        for name, right in (("x", 2), ("y", 4))
    ]
    scores = table.build(rows)
    assert [line.name for line in scores.summary[:3]] == ["mIoU", "mIoU a", "mIoU b"]
    assert scores.parts == ("a", "b")
    assert scores.summary[2].cells[1] == table.Cell((pytest.approx((0.8 + 10 / 12) / 2),), 0)
    assert "mean over a, b, each on its own images; classes and mIoU are averaged separately" in scores.notes
