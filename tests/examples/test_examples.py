"""Each script in examples/ runs and prints what its text claims."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples import adversarial_training, read_gta5, score_predictions
from tests.configs import layouts
from tests.unit.metrics.test_official_evaluator import official_scores


def printed_miou(capsys: pytest.CaptureFixture[str]) -> float:
    match = re.search(r"mIoU ([\d.]+) %", capsys.readouterr().out)
    assert match
    return float(match[1])


def test_adaptation_beats_training_on_the_source_alone(capsys: pytest.CaptureFixture[str]) -> None:
    adversarial_training.main(["--method", "source_only"])
    before = printed_miou(capsys)
    adversarial_training.main([])
    assert printed_miou(capsys) > before + 10


@pytest.mark.parametrize("method", adversarial_training.METHODS)
def test_each_method_prints_its_losses(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    adversarial_training.main(["--method", method, "--steps", "2"])
    out = capsys.readouterr().out
    assert out.startswith("step 2: classification ")
    assert ("(discriminator)" in out) == (method in ("fcns_in_the_wild_adversarial", "output_adversarial"))


def test_gta5_in_a_loader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = layouts.gta5(tmp_path)
    read_gta5.main([str(root), "--crop", "32", "48", "--batch", "2", "--workers", "0"])
    out = capsys.readouterr().out
    assert "4 images, 2 batches" in out
    assert "image [2, 3, 32, 48]" in out
    assert "label [2, 32, 48]" in out
    shares = [float(share) for share in re.findall(r"^[a-z ]+ +([\d.]+) %$", out, re.MULTILINE)]
    assert len(shares) == 19
    assert sum(shares) == pytest.approx(100, abs=1)


def test_scores_are_the_official_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = layouts.cityscapes(tmp_path) / "gtFine" / "val"
    paths = sorted(labels.rglob("*_labelIds.png"))
    predictions = [tmp_path / "predictions" / path.name.replace("gtFine_labelIds", "predictionIds") for path in paths]
    predictions[0].parent.mkdir()
    for index, path in enumerate(predictions):
        ids = np.array(Image.open(paths[index]))
        ids[:20] = layouts.ids(20, ids.shape[1], 7 + index, layouts.CITYSCAPES_IDS)
        Image.fromarray(ids).save(path)
    official = official_scores(predictions, paths)
    capsys.readouterr()

    score_predictions.main([str(predictions[0].parent), str(labels)])
    scores = dict(re.findall(r"^([a-zA-Z ]+?) +([\d.]+|nan)$", capsys.readouterr().out, re.MULTILINE))
    assert float(scores.pop("mean IoU")) == pytest.approx(100 * official["averageScoreClasses"], abs=0.05)
    expected = {name: 100 * official["classScores"][name] for name in scores}
    assert len(expected) == 19
    assert {name: float(score) for name, score in scores.items()} == pytest.approx(expected, abs=0.051, nan_ok=True)

    predictions[0].unlink()
    with pytest.raises(SystemExit):
        score_predictions.main([str(predictions[0].parent), str(labels)])
    assert "expected one prediction" in capsys.readouterr().err
