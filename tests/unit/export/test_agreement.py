"""Agreement by hand, and its records after a process was killed."""

from pathlib import Path

import numpy as np
import pytest

from segda.export import agreement
from segda.export.agreement import Counts, Records

BEFORE = np.array([[0, 0, 1, 1], [2, 2, 2, 2]])
AFTER = np.array([[0, 1, 1, 1], [2, 2, 0, 0]])
LABEL = np.array([[0, 0, 0, 1], [2, 2, 2, 255]])


def counted(before: np.ndarray = BEFORE, after: np.ndarray = AFTER, label: np.ndarray = LABEL) -> Counts:
    return agreement.compare(before, after, label, 4, 255)


def test_counts_by_hand() -> None:
    """The last pixel is ignored, so class 2 has three pixels before, two after; class 3 is nowhere."""
    counts = counted()
    # Before and after share: class 0 one pixel of three, class 1 two of three, class 2 two of three.
    assert counts.intersection.tolist() == [[1, 2, 2, 0], [2, 1, 3, 0], [1, 1, 2, 0]]
    assert counts.union.tolist() == [[3, 3, 3, 0], [3, 2, 3, 0], [4, 3, 3, 0]]
    assert counts.mean() == pytest.approx(((1 + 2 + 2) / 9, (2 / 3 + 1 / 2 + 1) / 3, (1 / 4 + 1 / 3 + 2 / 3) / 3))


def test_an_unchanged_prediction_agrees_wholly_and_a_mere_swap_not_at_all() -> None:
    assert counted(after=BEFORE).mean()[0] == 1
    assert counted(np.zeros((2, 4), int), np.ones((2, 4), int)).mean()[0] == 0


def test_an_image_without_a_labelled_pixel_is_not_dropped() -> None:
    nothing = counted(label=np.full((2, 4), 255))
    assert nothing.mean() == (None, None, None)
    low = agreement.disagreeing({"none": nothing, "some": counted(), "same": counted(after=BEFORE)}, 0.99)
    assert low == ["some"]
    assert agreement.disagreeing({"some": counted()}, None) == []
    assert agreement.disagreeing({"same": counted(after=BEFORE)}, 1.0) == [], "the least is enough"


def test_what_is_lost_was_recognised_before_and_is_not_after() -> None:
    """The second pixel was recognised and is not; the third never was; the eighth is ignored."""
    counts = counted()
    assert agreement.is_lost(BEFORE, AFTER, LABEL).tolist() == [
        [False, True, False, False],
        [False, False, True, False],
    ]
    assert counts.lost.tolist() == [1, 0, 1, 0]
    assert counts.labelled() == 7
    assert counted(after=BEFORE).lost.tolist() == [0] * 4
    assert (counts + counts).lost.tolist() == [2, 0, 2, 0]


def test_the_limit_of_outliers_by_hand() -> None:
    def shares(*agreements: int) -> list[Counts]:
        return [agreement.compare(np.arange(8), np.arange(8) * (np.arange(8) < n), np.arange(8), 8, 255)
                for n in agreements]  # fmt: skip

    means = [counts.mean()[0] for counts in shares(1, 5, 6, 7, 8)]
    low, median, high = means[1], means[2], means[3]
    assert agreement.outlier_limit(shares(1, 5, 6, 7, 8)) == pytest.approx(median - 1.5 * (high - low))
    assert agreement.outlier_limit(shares(6, 6, 6)) == pytest.approx(median), "nothing is below it"
    assert agreement.outlier_limit([counted(label=np.full((2, 4), 255))]) is None


def test_the_report_says_how_much_of_the_kept_labels_is_ignored() -> None:
    content = agreement.report(
        {"a": counted(), "b": counted(), "c": counted(after=BEFORE)}, ["a", "b", "c"], ["w", "x", "y", "z"],
        minimum=None, dropped=["b"], judge={}, ignored=True,
    )  # fmt: skip
    assert content["ignored"]["pixels"] == pytest.approx(2 / 14, abs=1e-6)
    assert content["ignored"]["classes"] == pytest.approx({"w": 1 / 14, "y": 1 / 14}, abs=1e-6)


def test_classes_of_whole_images() -> None:
    assert agreement.compare(np.array(3), np.array(3), np.array(1), 4, 255).mean() == (1, 0, 0)
    assert agreement.compare(np.array(3), np.array(1), np.array(1), 4, 255).mean() == (0, 0, 1)


def test_the_report_by_hand() -> None:
    counts = {"b": counted(after=BEFORE), "a": counted(), "c": counted(label=np.full((2, 4), 255))}
    content = agreement.report(
        counts, ["a", "b", "c"], ["w", "x", "y", "z"], minimum=0.6, dropped=["a"], judge={"stage": "source"}, worst=1
    )
    assert content["mean"]["agreement"] == pytest.approx((5 / 9 + 1) / 2, abs=1e-6)
    # Over all pixels: class w agrees in 1 + 2 of 3 + 2 pixels.
    assert content["classes"]["w"]["agreement"] == pytest.approx(3 / 5)
    assert content["classes"]["z"] == {"agreement": None, "before": None, "after": None}
    assert content["worst"] == ["a"]
    assert content["images"]["a"]["classes"]["w"] == pytest.approx([1 / 3, 2 / 3, 1 / 4], abs=1e-6)
    assert "z" not in content["images"]["a"]["classes"]
    assert content["images"]["c"] == {"agreement": None, "before": None, "after": None, "classes": {}}


def test_records_survive_a_line_that_was_cut_short(tmp_path: Path) -> None:
    first = Records(tmp_path, 0)
    first.add("a", counted())
    first.add("b", counted(after=BEFORE))
    Records(tmp_path, 1).add("c", counted())
    file = tmp_path / "agreement-0.jsonl"
    file.write_text(file.read_text()[:-20])
    again = Records(tmp_path, 0)
    assert sorted(again.counts) == ["a", "c"]
    again.add("b", counted(after=BEFORE))
    records = agreement.read(tmp_path)
    assert sorted(records) == ["a", "b", "c"]
    assert records["a"].mean() == counted().mean()
    assert records["b"].mean()[0] == 1
    (tmp_path / "agreement-2.jsonl").write_text('{"key": "d", "intersection": [], "union": []}\n')
    assert sorted(agreement.read(tmp_path)) == ["a", "b", "c"], "version 0.2 did not say what is lost"
    agreement.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []
