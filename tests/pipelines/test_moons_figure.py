"""The four panels of the moons figure, drawn from a very short run."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.__main__ import main
from tools import moons_figure


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moons")
    settings = ["stages.moons.train=20", "stages.moons.test=20", "stages.source.steps=5", "stages.dann.steps=5"]
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["run", "moons", "--runs", str(folder / "runs"), "--cpu", *words]) == 0
    return folder / "runs"


def draw(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["moons_figure.py", *words])
    return moons_figure.main()


def test_four_panels_a_row(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, one = tmp_path / "both.png", tmp_path / "one.png"
    assert draw(monkeypatch, "moons", "--runs", str(runs), "--out", str(both)) == 0
    assert draw(monkeypatch, str(runs / "moons.lock.json"), "--row", "DANN", "--out", str(one)) == 0
    tall, low = (Image.open(file).size for file in (both, one))
    assert tall[0] == low[0] > 3 * low[1]
    assert tall[1] > 1.8 * low[1]


def test_panels_say_where_the_domain_boundary_comes_from(runs: Path) -> None:
    figure = moons_figure.draw("moons", runs, ["source only"])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["label", "features, PCA", "domain (fitted to the features)", "hidden units"]
    # 20 target points, and the source points in two classes.
    sizes = [len(points.get_offsets()) for points in figure.axes[0].collections if len(points.get_offsets()) > 1]
    assert sorted(sizes) == [10, 10, 20]


def test_the_boundary_lies_where_the_answer_changes() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    x, y = np.meshgrid(np.linspace(-1, 1, 101), np.linspace(-1, 1, 101))
    moons_figure.contours(axes, x, y, (x > 0.5)[None] - 0.5)
    (line,) = axes.collections
    vertices = np.concatenate([path.vertices for path in line.get_paths()])
    np.testing.assert_allclose(vertices[:, 0], 0.5, atol=0.02)


def test_an_unknown_row_is_one_line(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw(monkeypatch, "moons", "--runs", str(runs), "--row", "DNAN") == 2
    assert "did you mean 'DANN'?" in capsys.readouterr().err
