"""`segda evaluate`: any finished network on any labelled split, with the run given by name, lock file or folder."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from tests.cli.conftest import Refused
from tests.configs.layouts import ids, write_image


@pytest.fixture(autouse=True)
def finished(data: Path) -> Path:
    """The run `job` with `source` finished, and a CamVid folder with the test split only."""
    assert main(["job.yaml", "--only", "source"]) == 0
    for number in range(2):
        write_image(Path(f"cambridge/test/{number}.png"), 36, 48, number)
        label = Path(f"cambridge/testannot/{number}.png")
        label.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(label), ids(36, 48, number, tuple(range(12))))
    return next(Path("runs").glob("supervise-*"))


def evaluate(run: str, *words: str) -> list[str]:
    return ["evaluate", run, "--data", "camvid", "--split", "test", "--root", "cambridge", "--cpu", *words]


def scored(capsys: pytest.CaptureFixture[str], run: str, *words: str) -> dict[str, dict[str, dict[str, object]]]:
    capsys.readouterr()
    assert main(evaluate(run, "--json", *words)) == 0
    scores: dict[str, dict[str, dict[str, object]]] = json.loads(capsys.readouterr().out)
    return scores


def test_a_run_may_be_called_by_name_lock_file_or_stage_folder(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGDA_DATA")  # --root suffices
    by_name = scored(capsys, "job")
    by_lock = scored(capsys, "runs/job.lock.json", "--runs", "nowhere")
    by_folder = scored(capsys, str(finished))
    assert (list(by_name), list(by_folder)) == (["source only"], ["source"])
    expected = by_name["source only"]["confusion"]
    assert by_lock["source only"]["confusion"] == expected
    assert by_folder["source"]["confusion"] == expected


@pytest.mark.promise("label-size")
def test_the_protocol_says_what_was_scored(capsys: pytest.CaptureFixture[str]) -> None:
    protocol = scored(capsys, "job")["source only"]["protocol"]
    assert (protocol["dataset"], protocol["split"], protocol["images"]) == ("camvid", "test", 2)
    labels = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in Path("cambridge/testannot").iterdir()]
    assert protocol["pixels_scored"] + protocol["pixels_ignored"] == np.size(labels)  # type: ignore[operator]
    assert set(protocol["network_fingerprints"]) == {"encoder.safetensors", "head.safetensors"}  # type: ignore[call-overload]


def test_a_stage_with_augmentation_and_borders_is_another_result(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "stages.evaluate.augmentation={flip: true, scales: [0.5, 1]}"]
    settings += ["--set", "stages.evaluate.boundary=true"]
    assert main(["job.yaml", "--only", "evaluate"]) == 0
    plain = capsys.readouterr().out
    assert main(["job.yaml", "--only", "evaluate", *settings]) == 0
    augmented = capsys.readouterr().out
    folders = sorted(Path("runs").glob("evaluate-*"))
    assert len(folders) == 2, "another key"
    evaluations = [json.loads((folder / "evaluation.json").read_text())["source only"] for folder in folders]
    before, after = sorted(evaluations, key=lambda content: "boundary" in content)
    assert before["protocol"]["prediction_rule"].startswith("whole image in one pass")
    assert after["protocol"]["inference"] == {"flip": True, "scales": [0.5, 1.0], "window": None, "stride": None}
    assert before["confusion"]["counts"] != after["confusion"]["counts"]
    for line in ("mIoU synthia16", "mIoU synthia13", "category mIoU", "category IoU", "vehicle"):
        assert line in plain
        assert line in augmented
    assert "boundary mIoU" in augmented
    assert "boundary" not in plain
    tables = [json.loads((folder / "table.json").read_text()) for folder in folders]
    summary = next(table for table in tables if "boundary IoU" in table["sections"])["summary"]
    assert summary["mIoU synthia16"]["source only"]["mean"] == after["subspaces"]["synthia16"]["mean_iou"]
    assert summary["boundary mIoU"]["source only"]["mean"] == after["boundary"]["mean_iou"]
    assert all("mIoU synthia13," in (folder / "table.csv").read_text() for folder in folders)


def test_options_of_the_command_are_those_of_the_stage(capsys: pytest.CaptureFixture[str]) -> None:
    plain = scored(capsys, "job")["source only"]
    tiled = scored(capsys, "job", "--flip", "--window", "24", "32", "--stride", "12", "16", "--boundary")["source only"]
    assert "boundary" not in plain
    assert tiled["boundary"]["counts"]["width"] == 0.02  # type: ignore[index]
    expected = {"flip": True, "scales": [1.0], "window": [24, 32], "stride": [12, 16]}
    assert tiled["protocol"]["inference"] == expected
    assert tiled["confusion"]["ignored"] == plain["confusion"]["ignored"]
    one = scored(capsys, "job", "--window", "5000", "5000")["source only"]
    assert one["confusion"] == plain["confusion"], "a window that covers the image"


def test_a_stage_without_a_head_is_refused(refused: Refused) -> None:
    assert main(["job.yaml", "--only", "translate"]) == 0
    folder = next(Path("runs").glob("translate-*"))
    line = refused(*evaluate(str(folder)), finished=2)
    assert "'translate' stage without a segmentation network" in line


def test_another_stage_of_a_single_folder_is_refused(finished: Path, refused: Refused) -> None:
    line = refused(*evaluate(str(finished), "--stage", "both"), finished=1)
    assert "holds stage 'source' alone" in line


def test_status_and_report_take_a_lock_file_too(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("runs", "elsewhere")
    capsys.readouterr()
    assert main(["status", "elsewhere/job.lock.json"]) == 0
    assert "elsewhere/supervise-" in capsys.readouterr().out
    assert main(["job.yaml", "--only", "evaluate", "--runs", "elsewhere"]) == 0
    assert main(["report", "elsewhere/job.lock.json"]) == 0
    assert "source only" in capsys.readouterr().out
