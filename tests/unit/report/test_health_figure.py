"""The page's section on a training's health, from the log alone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from segda.label_space import LabelSpace
from segda.report import health_figure
from segda.report.page import ReportContent, render
from tests.hostile.pages import Parsed

WHAT = "the class car is not predicted on the target"
SERIES = "predicted.target.car"


def line(step: int, car: float = 0.25, norm: float | None = 1.0, **more: Any) -> dict[str, Any]:
    shares = {"road": 1 - car, **({"car": car} if car else {})}
    gradients = {"generator": norm, "generator.classification": 0.1, "discriminator": 0.0}
    return {"step": step, "losses": {"generator.classification": 1.0}, "gradients": gradients,
            "predicted": {"target": shares}, **more}  # fmt: skip


def begun(since: int) -> dict[str, Any]:
    return {"health": {"begun": [{"what": WHAT, "series": SERIES, "since": since, "until": None}], "ended": []}}


def ended(since: int, until: int) -> dict[str, Any]:
    return {"health": {"begun": [], "ended": [{"what": WHAT, "series": SERIES, "since": since, "until": until}]}}


def written(folder: Path, *lines: dict[str, Any]) -> Path:
    log = folder / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 99, "lo')
    return log


def health(log: Path) -> health_figure.Health:
    health = health_figure.read(log)
    assert health is not None
    return health


def text(log: Path, space: LabelSpace) -> str:
    return re.sub(r"\s+", " ", Parsed(render(ReportContent(title="run", space=space, logs={"feature": log}))).text)


def test_trouble_has_its_steps_and_its_curve(tmp_path: Path, space: LabelSpace) -> None:
    log = written(
        tmp_path, line(10), line(20, 0.0), line(30, 0.0, **begun(20)), line(40, 0.25, **ended(20, 40)),
        line(50, 0.0), line(60, 0.0, **begun(50)),
    )  # fmt: skip
    assert [(finding.since, finding.until) for finding in health(log).findings] == [(20, "40"), (50, "the end")]
    drawn = health_figure.figure(health(log), space)
    assert drawn is not None
    titles = [axes.get_title(loc="left") for axes in drawn.axes]
    assert titles == ["gradient norms", "share of the classes predicted on the target", *["target: car"] * 2]
    steps, shares = drawn.axes[2].lines[0].get_data()
    assert (list(steps), list(shares)) == ([10, 20, 30, 40, 50, 60], [0.25, 0, 0, 0.25, 0, 0])
    assert [patch.get_extents().width > 0 for patch in drawn.axes[2].patches] == [True]
    page = text(log, space)
    assert f"{WHAT} 20 40 {WHAT} 50 the end" in page
    assert "feature 2 signs of trouble up to step 60." in page


def test_the_page_says_if_there_was_no_trouble(tmp_path: Path, space: LabelSpace) -> None:
    page = text(written(tmp_path, line(10), line(20)), space)
    assert "No trouble up to step 20, in 2 lines of the log." in page


def test_a_log_of_an_earlier_version_is_shown_as_not_measured(tmp_path: Path, space: LabelSpace) -> None:
    log = written(tmp_path, {"step": 10, "losses": {"generator.cycle": 1.0}, "measures": {"a.accuracy": 1.0}})
    page = text(log, space)
    assert "Not measured: the log is of an earlier version." in page
    assert health_figure.figure(health(log), space) is None
    assert health_figure.read(tmp_path / "absent.jsonl") is None


def test_norms_that_are_zero_or_not_finite_leave_no_gap_in_the_page(tmp_path: Path, space: LabelSpace) -> None:
    log = written(tmp_path, line(10, norm=None), line(20, norm=float("inf")), line(30))
    drawn = health_figure.figure(health(log), space)
    assert drawn is not None
    points = {curve.get_label(): len(curve.get_xdata()) for curve in drawn.axes[0].lines}
    assert points == {"classification": 3, "generator, all": 1}
    assert "nan" not in text(log, space)


@pytest.mark.parametrize("content", ["", "{}", "[1]\n5\n"])
def test_an_empty_log_gives_no_section(tmp_path: Path, space: LabelSpace, content: str) -> None:
    (tmp_path / "log.jsonl").write_text(content)
    assert "signs of trouble" not in text(tmp_path / "log.jsonl", space)


@pytest.mark.promise("data-wait")
def test_the_page_says_how_long_data_was_waited_for(tmp_path: Path, space: LabelSpace) -> None:
    log = written(tmp_path, line(10, waiting=0.25), line(20, waiting=0.35))
    assert "It waited for data 30 % of its time, the mean over the lines of the log" in text(log, space)
    assert "waited for data" not in text(written(tmp_path, line(10)), space)
