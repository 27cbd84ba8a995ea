"""The counting benchmark: the implementations agree, and a difference is reported."""

import numpy as np
import pytest

from segda.errors import DataError
from tools.bench import counting as bench

pytest.importorskip("cityscapesscripts")
pytest.importorskip("lightning_utilities")


def test_a_made_pair_has_all_classes_ignored_pixels_and_errors() -> None:
    label, prediction = bench.made_pair((128, 256))
    assert label.dtype == prediction.dtype == np.uint8
    assert set(np.unique(label)) == {*range(19), 255}
    assert (label == 255).mean() == pytest.approx(0.05, abs=0.01)
    scored = label != 255
    assert 0.5 < (label == prediction)[scored].mean() < 0.99


def test_the_libraries_count_alike_and_counts_that_differ_end_the_comparison() -> None:
    label, prediction = bench.made_pair((37, 53))
    counters = bench.counters(label, prediction)
    bench.check(counters)
    expected = np.zeros((19, 19), dtype=np.int64)
    np.add.at(expected, (label[label != 255], prediction[label != 255]), 1)
    assert (counters["segda"]() == expected).all()
    expected[0, 0] += 1
    counters["cityscapesScripts"] = lambda: expected
    with pytest.raises(DataError, match="cityscapesScripts counts .* not the same matrix"):
        bench.check(counters)


def test_figures() -> None:
    figures = bench.measure(repeat=1, height=37)
    assert [figure.other for figure in figures] == ["", "cityscapesScripts", "torchmetrics"]
    assert [figure.bound for figure in figures] == [6.0, 4.0, 50.0]
    assert all(figure.note.startswith("fastest ") for figure in figures)
