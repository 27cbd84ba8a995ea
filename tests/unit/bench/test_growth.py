"""The growth benchmark: its trees are data sets of the stated size, and its figures match its points."""

from pathlib import Path

import numpy as np
import pytest

from tools.bench import growth as bench


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    bench.grow(tmp_path / "tree", range(3))
    bench.grow(tmp_path / "tree", range(3, 7))
    return tmp_path / "tree"


def test_the_subjects_do_their_work(tree: Path) -> None:
    dataset, fingerprint = bench.index(tree)  # type: ignore[misc]
    image, label = dataset.read(6)
    assert (len(dataset), len(fingerprint), image.shape) == (7, 64, (16, 32, 3))
    assert set(np.unique(label)) == {*range(19), 255}
    assert sum(file.stat().st_nlink > 1 for file in tree.rglob("*.png")) == 2 * 7, "links, not copies"
    assert [(each.state, each.key != "") for each in bench.plan(tree)] == [("run", True)] * 2  # type: ignore[attr-defined]
    report = bench.check(tree)
    assert (report.pairs, report.problems) == (7, ())  # type: ignore[attr-defined]
    evaluation = bench.evaluate(tree)
    assert evaluation.images == 7  # type: ignore[attr-defined]
    assert evaluation.confusion.counts[:, 10].sum() == evaluation.confusion.counts.sum()  # type: ignore[attr-defined]


def test_figures_by_hand() -> None:
    points = [bench.Point(1000, 2.0, 1_000_000), bench.Point(11_000, 33.0, 41_000_000)]
    time, memory = bench.figures({"index": points})
    assert (time.theirs, time.ours, time.value, memory.value) == (2000.0, 3000.0, 1.5, 2000.0)
    assert (time.bound, memory.bound) == (1.3, 1024.0)


def test_memory_and_time_are_of_the_work(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bench.SUBJECTS, "index", lambda root: np.ones(50_000_000 if root == tree else 1, np.uint8))
    monkeypatch.setattr(bench, "_resident", lambda what: {"VmRSS": 10, "VmHWM": 50}[what])
    point = bench.inside("index", tree, tree.parent, 2500)
    assert (point.files, point.memory) == (2500, 40)
    assert 0 < point.seconds < 5


def test_the_plot_is_small(tmp_path: Path) -> None:
    points = [bench.Point(size, size / 1e4, size * 100) for size in (1000, 10_000, 25_000, 100_000)]
    drawn = bench.plot(dict.fromkeys(bench.SUBJECTS, points))
    assert drawn.startswith("<svg")
    assert len(drawn.encode()) < 50_000
    assert "evaluate" in drawn
    assert bench.plot({"index": points}) == bench.plot({"index": points}), "the same bytes"
