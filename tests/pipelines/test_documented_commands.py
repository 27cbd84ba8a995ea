"""Every example line of README and of two pages works where it stands: typed as printed, on finished tiny runs."""

import os
import shlex
import shutil
from glob import glob
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.__main__ import main
from segda.evaluation.video import Frame, VideoFile
from tests.configs import layouts
from tests.docs import pages
from tests.pipelines import tiny

TRAINING = ("--seed", "--force", "--from-manifest")
"""Options of lines that train anew, which are planned here."""

LINES = [
    line.strip()
    for page in ("README.md", "docs/running.md", "docs/deploying.md")
    for language, block in pages.blocks(pages.ROOT / page)
    if not language
    for line in block.splitlines()
    if line.startswith("segda ")
]


@pytest.fixture(scope="module")
def folder(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the pipelines of the pages are the tiny one, finished, with what else the lines name."""
    folder = tmp_path_factory.mktemp("documented")
    shutil.copytree(finished, folder / "runs")
    content = tiny.PIPELINE.replace("base: streets", f"base: {pages.ROOT}/configs/pipelines/streets.yaml")
    (folder / "configs/pipelines").mkdir(parents=True)
    for name in ("streets", "gta5_to_cityscapes"):
        (folder / f"configs/pipelines/{name}.yaml").write_text(content)
    for name, text in pages.files("README.md").items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def home(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs is the current one, and the data sets, photographs and weights of the lines are there."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    data = tmp_path / "data"
    monkeypatch.setenv("SEGDA_DATA", str(data))
    layouts.gta5(data, number=32)  # a quarter of the source judges the others, by at least 8 samples
    root = layouts.cityscapes(data, train=8, val=8)
    layouts.write_image(root / "leftImg8bit/test/bonn/bonn_000000_000000_leftImg8bit.png", 48, 96, 9)
    (data / "weights").mkdir()
    torch.save({"conv1.weight": torch.ones(2)}, data / "weights/resnet34.pth")
    if not Path("photographs").exists():
        layouts.write_image(Path("photographs/1.png"), 48, 96, 1)
        with VideoFile(Path("drive.mp4"), 10) as video:
            video.add(Frame(np.full((48, 96, 3), 90, dtype=np.uint8), 0.0))
        for index in range(2):
            layouts.write_image(Path(f"rendered/images/{index}.png"), 48, 96, index)
            layouts.write_label(Path(f"rendered/labels/{index}.png"), layouts.ids(48, 96, index, (0, 1, 2)))
        for label in sorted(root.glob("gtFine/val/*/*_labelIds.png")):
            for copy in (f"labels/{label.name}", f"predicted/{label.name.replace('_gtFine_labelIds', '')}"):
                Path(copy).parent.mkdir(exist_ok=True)
                shutil.copy(label, copy)
    for written in ("tour.yaml", "tour_classes.yaml", "network"):
        shutil.rmtree(written) if Path(written).is_dir() else Path(written).unlink(missing_ok=True)
    return folder


@pytest.mark.parametrize("line", LINES)
def test_a_line_works_as_printed(line: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = [os.path.expanduser(word) for word in shlex.split(line, comments=True)]
    words = [word for each in typed for word in glob(each.replace("…", "*")) or [each]]
    if set(words) & set(TRAINING):
        words.append("--plan")
    assert main(words[1:]) == 0, capsys.readouterr().err
    written = capsys.readouterr()
    assert written.out
    if words[1] == "run" and not any(word.startswith("--") for word in words):
        assert "nothing to do\n" in written.out
