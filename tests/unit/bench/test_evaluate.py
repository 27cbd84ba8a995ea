"""The counting benchmark: what it times counts alike, and it says so where not."""

from collections.abc import Callable

import numpy as np
import pytest

from segda.errors import DataError
from tools.bench import evaluate as bench

pytest.importorskip("cityscapesscripts")
pytest.importorskip("lightning_utilities")

SIZE = (37, 53)


def test_a_made_pair_has_all_classes_ignored_pixels_and_errors() -> None:
    label, prediction = bench.made_pair((128, 256))
    assert label.dtype == prediction.dtype == np.uint8
    assert set(np.unique(label)) == {*range(19), 255}
    assert (label == 255).mean() == pytest.approx(0.05, abs=0.01)
    known = label != 255
    assert 0.5 < (label == prediction)[known].mean() < 0.99


def test_the_three_libraries_count_alike_and_ours_is_one() -> None:
    pair = bench.made_pair(SIZE)
    timings = bench.measure(bench.counters(*pair), repeat=1)
    assert list(timings) == [bench.OURS, bench.OFFICIAL, bench.TORCHMETRICS]
    expected = np.zeros((19, 19), dtype=np.int64)
    for true, predicted in zip(pair[0].ravel(), pair[1].ravel(), strict=True):
        if true != 255:
            expected[true, predicted] += 1
    for timing in timings.values():
        assert (timing.counts == expected).all()
        assert 0 < timing.fastest <= timing.median
    text = bench.report(timings, SIZE)
    assert "53x37" in text
    assert f"{int(expected.sum())} pixels scored" in text
    line = next(line for line in text.splitlines() if line.startswith(bench.OURS))
    assert line.split()[-1] == "1.0"


def test_counts_that_differ_end_the_comparison() -> None:
    counters: dict[str, Callable[[], bench.Counts]] = bench.counters(*bench.made_pair(SIZE))
    wrong = counters[bench.OFFICIAL]().copy()
    wrong[0, 0] += 1
    counters[bench.OFFICIAL] = lambda: wrong
    with pytest.raises(DataError, match="cityscapesScripts counts .* not the same matrix"):
        bench.measure(counters, repeat=1)
