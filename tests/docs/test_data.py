"""The data guide's examples run unchanged."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipelines.__main__ import main
from pipelines.commands.arguments import read_data
from pipelines.training.open_data import data_root, open_dataset
from segda import label_space
from segda.config import loading
from tests.configs import layouts
from tests.docs import pages
from tests.structure.source import ROOT

GUIDE = ROOT / "docs" / "data.md"
YAML = [
    text
    for page in ("own_data.md", "own_classes.md")
    for kind, text in pages.blocks(GUIDE.with_name(page))
    if kind == "yaml"
]


@pytest.fixture
def courier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guide's data tree and configs, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    root = tmp_path / "data" / "courier"
    for name, seed in (("day/monday/0001", 0), ("day/monday/0002", 1), ("night/0001", 2)):
        layouts.write_image(root / "frames" / f"{name}_rgb.jpg", 40, 64, seed)
        mask = root / "masks" / f"{name}_mask.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(layouts.ids(40, 64, seed, tuple(range(10)))).save(mask)
    for name, text in zip(("data/courier", "data/colour", "pipelines/courier", "data/coins"), YAML, strict=True):
        file = tmp_path / "configs" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_the_guide_names_every_data_config_and_layout() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for path in loading.shipped("data").glob("*.yaml"):
        assert f"`{path.stem}`" in text
        assert f"$SEGDA_DATA/{loading.load(path, 'data')['root']}/" in text


def test_the_example_reads(courier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "courier"]) == 0
    output = capsys.readouterr().out
    assert "pairs     2" in output
    assert "no problems found" in output
    data = read_data("courier", None, "day")
    space = label_space.load("cityscapes")
    opened = open_dataset(data, "cityscapes", data_root(data), with_labels=True)
    assert [sample.key for sample in opened.samples] == ["monday/0001", "monday/0002"]
    _, label = opened.read(0)
    ids = np.asarray(Image.open(courier / "masks" / "day" / "monday" / "0001_mask.png"))
    names = {1: "road", 2: "sidewalk", 3: "building", 4: "building", 5: "car", 6: "person", 7: "sky", 8: "vegetation"}
    for native in range(10):
        expected = space.classes.index(names[native]) if native in names else 255
        assert label is not None
        assert set(np.unique(label[ids == native])) <= {expected}


def test_an_id_that_the_example_does_not_name_is_an_error(courier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((40, 64), 10, np.uint8)).save(courier / "masks" / "day" / "monday" / "0001_mask.png")
    assert main(["check", "courier"]) == 1
    assert "OUTSIDE THE MAP" in capsys.readouterr().out


def test_the_example_in_colour_reads(courier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = courier.parent / "courier_in_colour"
    layouts.write_image(root / "images" / "1.png", 20, 30, 0)
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:8] = (128, 64, 128)
    pixels[12:] = (70, 130, 180)
    (root / "labels").mkdir()
    assert cv2.imwrite(str(root / "labels" / "1.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    assert main(["check", "colour"]) == 0
    counted = {line.split()[0]: line.split()[-1] for line in capsys.readouterr().out.splitlines() if line}
    assert (counted["road"], counted["sky"], counted["(ignored)"]) == ("240", "240", "120")


def test_the_example_with_classes_of_its_own_reads(courier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.repeat(np.array([0, 1, 254, 255], np.uint8), 16).reshape(4, 16)
    layouts.write_image(courier.parent / "coins" / "images" / "train" / "1.png", 4, 16, 0)
    (courier.parent / "coins" / "masks" / "train").mkdir(parents=True)
    Image.fromarray(mask).save(courier.parent / "coins" / "masks" / "train" / "1.png")
    assert main(["check", "coins", "--labels", "configs/data/coins.yaml"]) == 0
    counted = {line.split()[0]: line.split()[-1] for line in capsys.readouterr().out.splitlines() if line}
    assert (counted["background"], counted["coin"], counted["(ignored)"]) == ("16", "32", "16")


def test_the_example_pipeline_plans(courier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layouts.gta5(courier.parent)
    assert main(["courier", "--plan"]) == 0
    output = capsys.readouterr().out
    assert "data missing" not in output
    assert "oracle" in output
    # Without masks, as the guide says.
    for mask in (courier / "masks").rglob("*.png"):
        mask.unlink()
    without = [word for stage in ("oracle", "evaluate", "report") for word in ("--set", f"stages.{stage}=")]
    assert main(["courier", "--plan", *without]) == 0
    assert "data missing" not in capsys.readouterr().out
