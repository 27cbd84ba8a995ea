"""The guide's examples are run word for word: the method trains, the term's test passes, reader and encoder load."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch

from pipelines.__main__ import main
from segda import label_space
from segda.config import lookup
from segda.config.lookup import module
from tests.configs import layouts
from tests.docs import pages

GUIDE = pages.text("docs/extending.md")
FILES = pages.files("docs/extending.md")


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the guide's files in a user folder that extends the shipped packages, and remove them afterwards."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if name.startswith("segda/"):
            package = importlib.import_module(".".join(Path(name).parent.parts))
            monkeypatch.setattr(package, "__path__", [*package.__path__, str(file.parent)])
            monkeypatch.delitem(sys.modules, ".".join(Path(name).with_suffix("").parts), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(lookup, "_allowed_plugins", set())
    for name in [name for name in sys.modules if name.split(".")[0] == "extra"]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def its_test(user: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("guide_test", user / "test_charbonnier_entropy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_guides_own_test_passes_and_would_notice(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = its_test(user)
    module.test_values()
    module.test_the_gradient_is_that_of_the_equation()
    wrong = module.build
    monkeypatch.setattr(module, "build", lambda weight, power=2.0: wrong(weight=weight, power=power + 1))
    with pytest.raises(AssertionError):
        module.test_the_gradient_is_that_of_the_equation()


def test_the_method_trains_on_the_digits(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = re.findall(r"^segda (run digits --plugin .*)$", GUIDE, re.MULTILINE)[0].split()
    small = ["stages.digits.rendered_train=40", "stages.digits.rendered_test=10", "stages.digits.handwritten_test=20"]
    small += ["stages.feature.steps=3", "stages.feature.batch=8", "runtime.log_every=1", "runtime.cpu=true"]
    settings = [part for setting in small for part in ("--set", setting)]
    assert main([*command, *settings, "--only", "digits", "--only", "feature"]) == 0
    assert "extra.charbonnier_entropy" in capsys.readouterr().out
    logged = next((user / "runs").glob("align-*/log.jsonl")).read_text()
    assert "generator.extra.charbonnier_entropy" in logged


def test_the_encoder_returns_a_pyramid(user: Path) -> None:
    encoder = module("segda.networks.encoders", "plain").build(width=5)
    pyramid = encoder(torch.zeros(2, 3, 50, 64))
    assert [tuple(features.shape) for features in pyramid] == [(2, 3, 50, 64), (2, 5, 7, 8)]
    assert encoder.channels == (3, 5)


def test_the_reader_reads(user: Path) -> None:
    build, space = module("segda.data.readers", "suburb").build, label_space.load("cityscapes")
    root = user / "suburb"
    layouts.write_image(root / "photos" / "train" / "a" / "1.jpg", 4, 6, 0)
    with pytest.raises(Exception, match="ids/train"):
        build(root, space)
    assert build(root, space, with_labels=False).read(0)[1] is None
    (root / "ids" / "train" / "a").mkdir(parents=True)
    ids = np.repeat(np.array([[0], [1], [2], [9]], np.uint8), 6, axis=1)
    assert cv2.imwrite(str(root / "ids" / "train" / "a" / "1.png"), ids)
    label = build(root, space).read(0)[1]
    assert label is not None
    assert label[:, 0].tolist() == [0, 1, 13, 255]
