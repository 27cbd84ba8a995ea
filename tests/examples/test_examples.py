"""Each script in examples/ runs and prints what its text claims."""

import re
from pathlib import Path

import pytest

from examples import adversarial_training, read_gta5
from tests.configs import layouts


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
