"""Model selection and the report for segmentation, on the tiny main pipeline."""

import json
import re
from pathlib import Path

import pytest

from pipelines.__main__ import main
from tests.pipelines import tiny


def test_every_criterion_scores_every_row_of_a_segmentation_run(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The row trained on target labels is scored but never picked."""
    streets = tiny.folder(finished, "streets")
    words = ["select", "tiny", "--runs", str(finished), "--save", str(tmp_path / "selection.json"), "--cpu", "--json"]
    words += ["--target", "cityscapes", "--target-root", str(streets / "camera"), "--target-split", "val"]
    words += ["--source", "gta5", "--source-root", str(streets / "rendered"), "--count", "24", "--pixels", "8"]
    # With fewer than eight images a domain has no classifier: an error of one line.
    assert main(words) == 2
    assert "at least 8 samples" in capsys.readouterr().err
    start = words.index("--source")
    assert main([*words[:start], *words[start + 4 :], "--oracle"]) == 0
    result = json.loads(capsys.readouterr().out)
    evaluation = json.loads((tiny.folder(finished, "evaluate") / "evaluation.json").read_text())
    assert list(result["candidates"]) == list(evaluation)
    assert result["oracle"]["measure"] == "mIoU"
    assert result["candidates"]["oracle"]["trained_on_target_labels"] is True
    assert "oracle" not in {pick["candidate"] for pick in (*result["picks"].values(), result["oracle"])}


def test_the_page_shows_translations_back_and_forth_and_errors(finished: Path) -> None:
    page = (tiny.folder(finished, "report") / "report.html").read_text(encoding="utf-8")
    titles = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert titles[:5] == [
        "predicted before and after adaptation",
        "target",
        "label",
        "errors before adaptation",
        "errors after adaptation",
    ]
    rows = ["source", "source as target", "reconstructed", "target", "target as source", "reconstructed"]
    assert re.findall("<h4>(.*?)</h4>", page) == rows
    assert "learning rate" in page
    both = tiny.folder(finished, "both").name
    assert re.search(rf"<code>segda predict \S*{both} image.jpg -o out</code>", page)
    assert re.findall(r'<h3>(source only|pixel\+feature)</h3>\s*<div class="wide".*?aria-label="confusion', page) == [
        "source only",
        "pixel+feature",
    ]
    stages = page[page.index('<svg class="graph"') : page.index("</svg>", page.index('<svg class="graph"'))]
    assert sorted(re.findall(r"<title>(\w+):", stages)) == sorted({*tiny.STAGES} - {"report"})
    assert stages.count("<rect") == len(tiny.STAGES) - 1
