"""Every snippet of docs/python.md is run, one after another, as a reader would."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from pipelines.definition import loading as pipelines
from tests.docs import pages
from tests.pipelines import tiny
from tests.sharing import Hub
from tests.structure.source import ROOT
from tests.unit.networks.test_smp_model import shared

PAGE = ROOT / "docs" / "python.md"


def test_the_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a small pipeline in place of `streets`, and a folder in place of the Hub."""
    monkeypatch.chdir(tmp_path)
    Hub(tmp_path / "hub", monkeypatch)
    small = tmp_path / "configs" / "pipelines" / "streets.yaml"
    small.parent.mkdir(parents=True)
    small.write_text(yaml.safe_dump(pipelines.resolve(str(tiny.write(tmp_path)))[1]))
    assert cv2.imwrite("photograph.png", np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    shared(tmp_path / "smp_network", "unet")
    names: dict[str, Any] = {}
    for language, snippet in pages.blocks(PAGE):
        if language == "python":
            exec(compile(snippet, str(PAGE), "exec"), names)
            if "run" in names and not Path("camera").exists():
                Path("camera").symlink_to(next((tmp_path / "runs").glob("generate-*/camera")))
    out = capsys.readouterr().out
    assert "pixel+feature" in out
    assert "['discriminator.feature', 'encoder', 'head']" in out
    assert names["classes"].shape == names["share"].shape[1:] == (50, 70)
    assert names["logits"].shape == (2, 19, 64, 128)
    assert np.array_equal(names["again"]("photograph.png"), names["classes"])
    assert np.array_equal(names["fetched"]("photograph.png"), names["classes"])
    assert set(names["losses"]) == {"classification", "feature_adversarial", "feature_adversarial (discriminator)"}
    assert next(iter(names["loader"])).shape[:2] == (2, 3)


def test_the_page_names_the_interface() -> None:
    import segda

    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in segda.__all__ if name != "__version__" and f"segda.{name}" not in text] == []
