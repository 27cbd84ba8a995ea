"""`segda evaluate --format-submission`: cityscapesScripts finds every file and scores it as `segda evaluate` does."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from tests.cli.conftest import Refused
from tests.configs import layouts

official = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")


@pytest.fixture(autouse=True)
def finished(data: Path) -> Path:
    """The run `job` with `source` finished."""
    assert main(["job.yaml", "--only", "source"]) == 0
    return data


def submit(*words: str, split: str = "val") -> list[str]:
    return ["evaluate", "job", "--data", "cityscapes", "--split", split, "--cpu", *words]


def official_scores(folder: Path, labels: list[Path]) -> dict[str, Any]:
    arguments = copy.copy(official.args)
    arguments.evalInstLevelScore, arguments.quiet, arguments.JSONOutput = False, True, False
    arguments.predictionPath, arguments.predictionWalk = str(folder), None
    predictions = [official.getPrediction(arguments, str(label)) for label in labels]
    scores: dict[str, Any] = official.evaluateImgLists(predictions, [str(label) for label in labels], arguments)
    return scores


@pytest.mark.promise("counts-equal-cityscapes")
@pytest.mark.parametrize("options", [[], ["--flip", "--scales", "0.5", "1", "--window", "32", "64"]])
def test_the_official_evaluator_scores_the_files_as_segda_scores_the_networks(
    finished: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(submit("--format-submission", "sent", *options)) == 0
    assert "2 label-id images of 'source only': sent" in capsys.readouterr().out
    assert main(submit("--json", *options)) == 0
    content = json.loads(capsys.readouterr().out)["source only"]
    labels = sorted((finished / "cityscapes/gtFine/val").rglob("*_labelIds.png"))
    expected = official_scores(Path("sent"), labels)
    for name, value in content["iou"].items():
        assert (np.nan if value is None else value) == pytest.approx(
            expected["classScores"][name], abs=1e-6, nan_ok=True
        ), name
    assert content["scores"]["mean_iou"] == pytest.approx(expected["averageScoreClasses"], abs=1e-6)
    for name, value in content["categories"]["iou"].items():
        assert value == pytest.approx(expected["categoryScores"][name], abs=1e-6), name
    assert content["categories"]["mean_iou"] == pytest.approx(expected["averageScoreCategories"], abs=1e-6)
    assert list(content["subspaces"]) == ["synthia16", "synthia13"]


def test_an_unlabelled_test_split_is_predicted_and_again_over_what_is_there(finished: Path) -> None:
    shutil.rmtree(finished / "cityscapes/gtFine")
    folder = finished / "cityscapes/leftImg8bit/test/berlin"
    for number in range(3):
        layouts.write_image(folder / f"berlin_000000_{number:06d}_leftImg8bit.png", 33, 51 + number, number)
    assert main(submit("--format-submission", "sent", split="test")) == 0
    first = {path.name: path.read_bytes() for path in Path("sent").iterdir()}
    assert len(first) == 3
    sizes = {cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape for path in Path("sent").iterdir()}
    assert sizes == {(33, 51), (33, 52), (33, 53)}
    (Path("sent") / "berlin_000000_000001_predictionIds.png").unlink()
    assert main(submit("--format-submission", "sent", split="test")) == 0
    assert {path.name: path.read_bytes() for path in Path("sent").iterdir()} == first


def test_what_the_server_would_misread_is_refused(finished: Path, refused: Refused) -> None:
    Path("sent").mkdir()
    shutil.copy(next((finished / "cityscapes/leftImg8bit/val").rglob("*.png")), "sent/other.png")
    line = refused(*submit("--format-submission", "sent"), finished=1)
    assert "other.png: no prediction for an image of this split" in line
    layouts.write_image(Path("photos/images/val/1.png"), 33, 51, 0)
    Path("odd.yaml").write_text("{name: cityscapes, root: odd}")
    layouts.write_image(Path("odd/leftImg8bit/val/a/holiday_leftImg8bit.png"), 33, 51, 0)
    words = ["evaluate", "job", "--data", "odd.yaml", "--root", "odd", "--split", "val", "--cpu"]
    line = refused(*words, "--format-submission", "elsewhere", finished=1)
    assert "found 'holiday'; the server expects <city>_<sequence>_<frame>" in line
    assert not Path("elsewhere").exists()


def test_one_row_must_be_named_where_there_are_several(finished: Path, refused: Refused) -> None:
    Path("job.yaml").write_text(
        Path("job.yaml")
        .read_text()
        .replace("rows: {source only: {from: source}}", "rows: {source only: {from: source}, again: {from: source}}")
    )
    assert main(["job.yaml", "--only", "source"]) == 0
    line = refused(*submit("--format-submission", "sent"), finished=1)
    assert "name one --stage of source only, again" in line
    assert main(submit("--format-submission", "sent", "--stage", "again")) == 0
    assert len(list(Path("sent").iterdir())) == 2
