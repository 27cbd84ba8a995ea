"""`segda.load`, `run`, `evaluate` and `dataset` give what the commands give."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import segda
from pipelines.__main__ import main
from pipelines.from_python import FinishedRun, finished_folders
from segda.errors import ArtefactError, ConfigError, DataError
from segda.evaluation.predict import Predictor
from segda.evaluation.test_time_augmentation import Augmentation
from segda.label_space import LabelSpace
from segda.networks.networks import Networks
from segda.tasks.classification import Classification
from tests.pipelines import tiny
from tests.structure import source


def photograph(finished: Path) -> Path:
    return next(finished.glob("generate-*/camera/leftImg8bit/val/*/*.png"))


def camera(finished: Path) -> Path:
    return next(finished.glob("generate-*/camera"))


def test_predictions_are_those_of_the_command(finished: Path, tmp_path: Path) -> None:
    """For a file, and for the same pixels in any other form, pixel for pixel; for the default row and a named one."""
    file = photograph(finished)
    pixels = np.array(Image.open(file))
    channels_first = torch.from_numpy(pixels).permute(2, 0, 1)
    for row in (None, "pixel"):
        predictor = segda.load("tiny", row, "cpu", runs=finished)
        words = ["predict", "tiny", str(file), "-o", str(tmp_path / str(row)), "--runs", str(finished), "--cpu"]
        assert main(words + (["--stage", row] if row else [])) == 0
        ids = cv2.imread(str(tmp_path / str(row) / "ids" / f"{file.stem}.png"), cv2.IMREAD_UNCHANGED)
        forms: list[Any] = [file, str(file), Image.open(file), pixels, channels_first, channels_first / 255]
        for prediction in [*predictor(forms), predictor(pixels)]:
            assert prediction.dtype == np.uint8
            assert np.array_equal(prediction, ids)
        colours = cv2.imread(str(tmp_path / str(row) / "colour" / f"{file.stem}.png"))
        assert colours is not None
        assert np.array_equal(predictor.colour(file), colours[..., ::-1])
        share = predictor.probabilities(file)
        assert share.shape == (19, *ids.shape)
        assert np.allclose(share.sum(0), 1, atol=1e-5)
        assert (share.argmax(0) == ids).mean() > 0.999


def test_the_module_is_the_predictors_network(finished: Path) -> None:
    """For floats and uint8; the predictor of a training at another size resizes first, the module does not."""
    file = photograph(finished)
    predictor = segda.load("tiny", runs=finished, device="cpu")
    image = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None]
    with torch.inference_mode():
        logits = predictor.network(image / 255)
        predictor.network.uint8 = True
        assert torch.allclose(predictor.network(image), logits, atol=1e-4)
    assert np.array_equal(logits.argmax(1)[0].numpy(), predictor(file))


def test_everything_that_names_networks_loads_them(finished: Path, tmp_path: Path) -> None:
    stage = tiny.folder(finished, "both")
    rows = {segda.load(str(path)).folder.name for path in (stage, finished / "tiny.lock.json")}
    assert rows == {stage.name}
    predictor = segda.load(stage, device=torch.device("cpu"))
    assert (predictor.row, predictor.label_space.name, predictor.domain) == ("both", "cityscapes", "target")
    assert predictor.rule == predictor.task.prediction_rule
    with pytest.raises(ArtefactError, match="no finished row or stage 'pixle'; did you mean 'pixel'"):
        segda.load("tiny", "pixle", runs=finished)
    with pytest.raises(ArtefactError, match="no such run"):
        segda.load("streets", runs=tmp_path)
    with pytest.raises(DataError, match="cannot be read|no such file|missing"):
        predictor(tmp_path / "nothing.png")


def test_test_time_augmentation_is_the_commands(finished: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    file = photograph(finished)
    predictor = replace(segda.load("tiny", runs=finished, device="cpu"), augmentation=Augmentation(flip=True))
    words = ["predict", "tiny", str(file), "-o", str(tmp_path / "out"), "--runs", str(finished), "--cpu", "--flip"]
    assert main(words) == 0
    ids = cv2.imread(str(tmp_path / "out" / "ids" / f"{file.stem}.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(predictor(file), ids)
    assert np.array_equal(predictor.probabilities(file).argmax(0), ids)


def test_classification_gives_the_index_of_the_class() -> None:
    class Mean(torch.nn.Module):
        def forward(self, features: Any) -> torch.Tensor:
            return (features if isinstance(features, torch.Tensor) else features[-1]).mean(dim=(-2, -1), keepdim=True)

    class Listed(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
            return [image]

    space = LabelSpace("colours", ("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
    predictor = Predictor(Networks({"encoder": Listed(), "head": Mean()}, tied=True), Classification(space))
    images = [np.zeros((4, 4, 3), np.uint8) for _ in range(2)]
    images[0][..., 2], images[1][..., 1] = 255, 255
    assert predictor(images) == [2, 1]  # type: ignore[arg-type]
    assert predictor.probabilities(images[0]).shape == (3,)
    assert predictor.network(torch.rand(2, 3, 4, 4)).shape == (2, 3)
    with pytest.raises(ConfigError, match="one class an image"):
        predictor.colour(images[0])


def test_a_run_that_is_finished_is_found_again(
    finished: Path, job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Path(shutil.copytree(finished, tmp_path / "runs"))
    run = segda.run(job, runs=runs)
    assert "nothing to do" in capsys.readouterr().out
    assert (run.name, run.runs) == ("tiny", runs)
    assert run.rows == ["source only", "pixel", "feature", "pixel+feature", "oracle"]
    assert run.report is not None
    assert run.report.is_file()
    assert list(run.folders) == list(tiny.STAGES)
    assert main(["report", "tiny", "--runs", str(runs)]) == 0
    printed = capsys.readouterr().out
    assert "mIoU" in str(run.scores)
    assert [line for line in str(run.scores).splitlines() if line.startswith("road")][0].split()[:2] == [
        line for line in printed.splitlines() if line.startswith("road")
    ][0].split()[:2]
    assert np.array_equal(run.load("pixel")(photograph(runs)), segda.load("tiny", "pixel", runs=runs)(photograph(runs)))


def test_a_run_is_not_taken_for_a_later_one_of_its_name(finished: Path) -> None:
    folders = finished_folders("tiny", finished)
    earlier = FinishedRun("tiny", finished, {**folders, "pixel": finished / "supervise-00000000"})
    for use in (lambda: earlier.rows, earlier.load, lambda: segda.evaluate(earlier, "cityscapes")):
        with pytest.raises(ArtefactError, match="tiny: run again since, with other settings"):
            use()
    assert FinishedRun("tiny", finished, folders).rows


def test_a_wrong_setting_is_the_commands_error(job: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no stage 'pixle'; did you mean 'pixel'"):
        segda.run(job, settings=["stages.pixle.steps=1"], runs=tmp_path)


def test_scores_are_those_of_the_command(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(camera(finished))
    scores = segda.evaluate("tiny", "cityscapes", "val", root=root, rows=["pixel", "oracle"], runs=finished, cpu=True)
    words = ["evaluate", "tiny", "--data", "cityscapes", "--split", "val", "--root", root, "--runs", str(finished)]
    capsys.readouterr()
    assert main([*words, "--stage", "pixel", "--stage", "oracle", "--json", "--cpu"]) == 0
    expected = json.loads(capsys.readouterr().out)
    for row, evaluation in expected.items():
        assert scores[row]["confusion"] == evaluation["confusion"]
        assert scores.mean[row] == evaluation["scores"]["mean_iou"]
    assert list(scores) == ["pixel", "oracle"]
    lines = {(line["part"], line["name"]): line["oracle"] for line in scores.records()}
    assert lines["class", "sky"] == expected["oracle"]["iou"]["sky"]
    assert lines["category", "sky"] == expected["oracle"]["categories"]["iou"]["sky"]
    assert lines["summary", "mIoU"] == scores.mean["oracle"]
    assert lines["class", "terrain"] is None


def test_data_sets_for_loaders(finished: Path) -> None:
    data = segda.dataset("cityscapes", camera(finished), "val")
    image, label = data[0]
    assert (image.dtype, label.dtype, len(data)) == (torch.float32, torch.int64, 3)
    assert image.shape == (3, *label.shape)
    assert image.min() >= 0
    assert image.max() <= 1
    assert int(label[label != 255].max()) < 19
    assert torch.equal(torch.from_numpy(data.data.read(0)[0]).permute(2, 0, 1), (255 * image).round().byte())
    assert len(list(data)) == 3  # a sequence ends
    assert torch.equal(segda.dataset("cityscapes", camera(finished), "val", labels=False)[0], image)
    shapes = segda.dataset("cityscapes", camera(finished), "val", transform=lambda *pair: [each.shape for each in pair])
    assert shapes[-1] == [(*label.shape, 3), tuple(label.shape)]
    assert segda.dataset("cityscapes", camera(finished), "val", labels="camvid")[0][1].max() <= 255
    with pytest.raises(ConfigError, match="did you mean 'cityscapes'"):
        segda.dataset("cityscape")
    with pytest.raises(ConfigError, match="no such folder"):
        segda.dataset("cityscapes", "nowhere")


def test_an_export_brings_its_label_space(finished: Path) -> None:
    data = segda.dataset(tiny.folder(finished, "adapted"))
    image, label = data[0]
    assert image.shape[1:] == label.shape
    assert data.data.space.name == "cityscapes"


def test_the_interface_is_named_and_costs_nothing_before_its_use() -> None:
    code = "import sys, segda; print(sorted(sys.modules.keys() & {'torch', 'numpy', 'pipelines'}), dir(segda))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=source.ROOT)
    assert done.stdout.startswith("[] ["), done.stderr
    for name in segda.__all__:
        assert name in done.stdout
        assert getattr(segda, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'laod'; it has"):
        segda.laod  # type: ignore[attr-defined]  # noqa: B018
