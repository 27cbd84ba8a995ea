"""Shares of the gap, classes that fell, and the staircase, by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from segda.report import charts, gap, staircase, table
from segda.report.table import Cell, Line, ScoreTable

COLUMNS = ("source only", "pixel", "feature", "oracle")


def line(name: str, *values: float | None) -> Line:
    first = values[0]
    cells = [
        None if value is None else Cell((value,), value - first if index and first is not None else None)
        for index, value in enumerate(values)
    ]
    return Line(name, tuple(cells))


TABLE = ScoreTable(
    columns=COLUMNS,
    classes=(line("road", 0.5, 0.45, 0.8, 0.9), line("sky", 0.4, 0.389, 0.5, 0.7), line("car", 0.3, 0.291, 0.2, 0.6)),
    summary=(
        line("mIoU", 0.4, 0.39, 0.5, 0.6), line("mIoU two", 0.4, 0.44, 0.4, 0.5), line("pixel accuracy", 0, 1, 1, 1)
    ),
    notes=(),
    oracles=("oracle",),
)  # fmt: skip


def test_shares_of_the_gap_by_hand() -> None:
    assert gap.oracle(TABLE) == "oracle"
    assert gap.shares(TABLE) == {
        "mIoU": {"pixel": pytest.approx(-0.05), "feature": pytest.approx(0.5)},
        "mIoU two": {"pixel": pytest.approx(0.4), "feature": 0},
    }


def test_classes_that_fell_by_more_than_a_point() -> None:
    assert gap.fallen(TABLE, "pixel") == [("road", pytest.approx(-0.05)), ("sky", pytest.approx(-0.011))]
    assert gap.fallen(TABLE, "feature") == [("car", pytest.approx(-0.1))]
    assert gap.notes(TABLE) == [
        "gap of mIoU to 'oracle' closed: pixel -5%, feature 50%",
        "gap of mIoU two to 'oracle' closed: pixel 40%, feature 0%",
        "classes more than a point below 'source only': pixel: road -5.0, sky -1.1; feature: car -10.0",
    ]
    parts = replace(TABLE, parts=("two",))
    assert len(gap.notes(parts)) == 2, "the parts' own shares are in the table of seeds"


@pytest.mark.parametrize(
    "changed",
    [
        {"oracles": ()},
        {"summary": (line("mIoU", 0.7, 0.39, 0.5, 0.6),)},
        {"summary": (line("mIoU", None, 0.39, 0.5, 0.6),)},
        {"summary": (line("mIoU", 0.4, 0.39, 0.5, None),)},
    ],
)
def test_without_a_gap_nothing_is_said(changed: dict[str, Any]) -> None:
    changed_table = replace(TABLE, **changed)
    assert gap.oracle(changed_table) is None
    assert gap.shares(changed_table) == {}
    assert gap.notes(changed_table) == []
    assert "closes" not in gap.verdict(changed_table)
    assert staircase.figure(changed_table) is None


def test_the_best_of_several_oracles_counts(evaluation: Callable[..., dict[str, Any]]) -> None:
    rows = (("a", 2, False), ("weak", 4, True), ("b", 5, False), ("strong", 8, True))
    made = table.build(
        [table.Result(name, [evaluation(right, trained_on_target_labels=oracle)]) for name, right, oracle in rows]
    )
    assert made.oracles == ("weak", "strong")
    assert gap.oracle(made) == "strong"
    assert list(gap.shares(made)["mIoU"]) == ["b"]


def test_the_staircase_has_a_step_a_row_and_the_share_on_the_right() -> None:
    drawn = staircase.figure(replace(TABLE, columns=("source only", "$pixel$", "feature", "oracle")))
    assert drawn is not None
    text = charts.to_svg(drawn, "gap")
    for part in (
        "source only",
        "$pixel$",
        "40.0",
        "39.0",
        "-1.0",
        "50.0",
        "+11.0",
        "gap closed in percent",
        "oracle (upper bound)",
    ):
        assert part in text
    (axes,) = drawn.axes
    (share,) = axes.child_axes
    drawn.canvas.draw()
    low, high = axes.get_ylim()
    assert share.get_ylim() == (pytest.approx((low - 40) * 5), pytest.approx((high - 40) * 5))


OVER = "Best adapted row: 'feature' with 50.0 mIoU, +10.0 points over 'source only'"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, f"{OVER}; it closes 50% of the gap to the upper bound 'oracle'."),
        ({"oracles": ()}, "Best adapted row: 'oracle' with 60.0 mIoU, +20.0 points over 'source only'."),
        (
            {"summary": (line("mIoU", 0.4, 0.39, 0.5, 0.4),)},
            f"{OVER}; no oracle is above 'source only', so there is no gap to close.",
        ),
        (
            {"summary": (line("mIoU", 0.4, 0.3, 0.35, 0.6),)},
            "Best adapted row: 'feature' with 35.0 mIoU, -5.0 points over 'source only'; it closes -25% of the gap to "
            "the upper bound 'oracle'.",
        ),
        ({"summary": (line("mIoU", None, 0.39, 0.5, 0.6),)}, ""),
        ({"oracles": COLUMNS[1:]}, ""),
    ],
)
def test_the_verdict_names_the_best_adapted_row_and_the_upper_bound(changed: dict[str, Any], sentence: str) -> None:
    assert gap.verdict(replace(TABLE, **changed)) == sentence
