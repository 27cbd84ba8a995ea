"""The report of a run whose labels are classes of whole images: what it shows, and what it finds out by itself."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.report import notes
from segda.artefacts.store import Store
from tests.unit.pipelines import colours
from tests.unit.report.scored_runs import accuracy


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return colours.run(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="module")
def report(store: Store) -> Path:
    return store.root / store.read_lock("colours")["stages"]["report"]["folder"]


def test_it_shows_accuracy_and_no_iou(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "accuracy in percent" in page
    assert "IoU" not in re.sub(r"base64,[^\"]*", "", page)
    assert json.loads((report / "table.json").read_text())["measure"] == "accuracy"


def test_predictions_samples_and_features_stand_beside_and_in_the_page(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    for name, title in (
        ("predictions", "Predictions"), ("samples", "Translation and reconstruction"), ("embedding", "Features"),
    ):  # fmt: skip
        assert f"<h2>{title}</h2>" in page
        image = Image.open(report / f"{name}.png")
        assert np.asarray(image.convert("RGB")).std() > 10
    assert not (report / "pictures.png").exists(), "class maps are for labels that are maps"


def test_as_many_predictions_as_asked_for(report: Path) -> None:
    width, _ = Image.open(report / "predictions.png").size
    assert width == 6 * (96 + 6) + 6


def test_rows_of_both_domains_with_their_translations(report: Path) -> None:
    """Three rows a domain: itself, as the other, as it was; six tiles of 96 pixels high each."""
    _, height = Image.open(report / "samples.png").size
    assert height == 6 * (96 + 6) + 6


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([60, 70, 80], ["Best adapted row: 'b', +10.0 points of accuracy; 50% of the gap to 'o'."]),
        ([60, 50, 80], ["Best adapted row: 'b', -10.0 points of accuracy; -50% of the gap to 'o'."]),
        ([60, 70, 60], ["Best adapted row: 'b', +10.0 points of accuracy; there is no gap."]),
    ],
)
def test_the_note_says_how_far_the_best_row_went(rows: list[int], expected: list[str]) -> None:
    evaluations: dict[str, Any] = {"a": accuracy(rows[0]), "b": accuracy(rows[1])}
    assert notes(evaluations) == [], "no oracle, no gap"
    assert notes({**evaluations, "o": accuracy(rows[2], oracle=True)}) == expected
