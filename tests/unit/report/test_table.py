"""The per-class table: gains, seeds, absent classes, and what JSON and CSV say of them."""

import csv
import io
import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from segda.errors import ArtefactError
from segda.report.table import Result, build, legend, signed, to_csv, to_json
from tests.unit.report.scored_runs import accuracy

Make = Callable[..., dict[str, Any]]


def test_gains_are_counted_from_the_first_column(evaluation: Make) -> None:
    table = build([Result("source only", [evaluation(2)]), Result("pixel", [evaluation(7)])])
    content = to_json(table)
    road, mean = content["classes"]["road"], content["summary"]["mIoU"]["pixel"]
    assert (road["source only"]["mean"], road["source only"]["gain"]) == (pytest.approx(0.2), None)
    assert (road["source only"]["spread"], road["pixel"]["spread"]) == (None, None)
    assert (road["pixel"]["mean"], road["pixel"]["gain"]) == (pytest.approx(0.7), pytest.approx(0.5))
    before, after = (0.2 + 10 / 18) / 2, (0.7 + 10 / 13) / 2
    assert (mean["mean"], mean["gain"]) == (pytest.approx(after), pytest.approx(after - before))
    assert [line.name for line in table.summary] == ["mIoU", "pixel accuracy", "mean accuracy", "weighted IoU"]


def test_several_seeds_give_mean_sample_deviation_and_extremes(evaluation: Make) -> None:
    table = build([Result("source only", [evaluation(right) for right in (2, 4, 9)])])
    road = to_json(table)["classes"]["road"]["source only"]
    assert road["mean"] == pytest.approx(0.5)
    assert road["spread"] == pytest.approx(math.sqrt((0.3**2 + 0.1**2 + 0.4**2) / 2))
    assert (road["minimum"], road["maximum"]) == (pytest.approx(0.2), pytest.approx(0.9))
    assert road["values"] == pytest.approx([0.2, 0.4, 0.9])


def test_absent_classes_have_no_number_anywhere_and_a_note(evaluation: Make) -> None:
    table = build([Result("source only", [evaluation(2)]), Result("pixel", [evaluation(7)])])
    assert table.classes[2].cells == (None, None)
    assert "neither labelled nor predicted, and left out of the mean: sky" in table.notes[0]
    content = json.loads(json.dumps(to_json(table), allow_nan=False))
    assert content["classes"]["sky"] == {"source only": None, "pixel": None}
    assert "nan" not in to_csv(table).lower()


def test_no_gain_where_the_first_column_lacks_the_class(evaluation: Make) -> None:
    table = build([Result("source only", [evaluation(2)]), Result("pixel", [evaluation(7, sky=3)])])
    sky = table.classes[2].cells
    assert sky[0] is None
    assert sky[1] is not None
    assert (sky[1].mean, sky[1].gain) == (1, None)
    assert "(in source only)" in table.notes[0]
    assert "not over the same classes in every column" in table.notes[1]


@pytest.mark.parametrize(("change", "key"), [({"resize": None}, "resize"), ({"images": 3}, "images")])
def test_columns_that_were_not_measured_alike_are_noted(evaluation: Make, change: dict[str, Any], key: str) -> None:
    alike = build([Result("a", [evaluation(2)]), Result("b", [evaluation(7, network_fingerprints={"head": "x"})])])
    assert not any("not measured alike" in note for note in alike.notes)
    other = build([Result("a", [evaluation(2)]), Result("b", [evaluation(7, **change)])])
    assert any(note.startswith(f"not measured alike: {key} differs") for note in other.notes)


def test_csv_has_a_line_a_class_in_percent_with_one_decimal(evaluation: Make) -> None:
    table = build([Result("source only", [evaluation(2)]), Result("pixel, level", [evaluation(7)])])
    lines = list(csv.DictReader(io.StringIO(to_csv(table))))
    summary = ["mIoU", "pixel accuracy", "mean accuracy", "weighted IoU"]
    assert [line["class"] for line in lines] == ["road", "car", "sky", *summary]
    assert lines[0] == {"class": "road", "source only": "20.0", "pixel, level": "70.0", "pixel, level gain": "+50.0"}
    assert lines[2] == {"class": "sky", "source only": "", "pixel, level": "", "pixel, level gain": ""}
    assert lines[4]["source only"] == "60.0"


def test_csv_of_several_seeds_has_spread_and_extremes(evaluation: Make) -> None:
    table = build([Result("a", [evaluation(2), evaluation(4)]), Result("b", [evaluation(9), evaluation(5)])])
    road = next(iter(csv.DictReader(io.StringIO(to_csv(table)))))
    assert road == {
        "class": "road", "a": "30.0", "a spread": "14.1", "a minimum": "20.0", "a maximum": "40.0",
        "b": "70.0", "b gain": "+40.0", "b spread": "28.3", "b minimum": "50.0", "b maximum": "90.0",
    }  # fmt: skip


def test_a_difference_that_rounds_to_zero_has_no_sign() -> None:
    assert [signed(value) for value in (-0.0004, 0.0, 0.0004, -0.0006, 0.102)] == ["0.0", "0.0", "0.0", "-0.1", "+10.2"]


def test_what_cannot_be_set_side_by_side_is_an_error(evaluation: Make) -> None:
    with pytest.raises(ArtefactError, match="no stage was evaluated"):
        build([])
    with pytest.raises(ArtefactError, match="'b' has no evaluation"):
        build([Result("a", [evaluation(1)]), Result("b", [])])
    with pytest.raises(ArtefactError, match="'b'.*one label space"):
        build([Result("a", [evaluation(1)]), Result("b", [evaluation(1, classes=("road", "car", "tree"))])])


def test_classification_shows_accuracy_by_class_and_on_the_whole() -> None:
    table = build([Result("a", [accuracy(60)]), Result("b", [accuracy(80, oracle=True)])])
    assert table.measure == "accuracy"
    assert [(line.name, round(line.cells[1].mean, 3)) for line in table.classes if line.cells[1]] == [
        ("zero", 1.0), ("one", 0.6),
    ]  # fmt: skip
    assert [line.name for line in table.summary] == ["accuracy", "mean accuracy"]
    assert legend(table).startswith("accuracy in percent")
    assert "trained on labels of the target, an oracle: b" in table.notes
    assert "IoU" not in to_csv(table)
    assert to_json(table)["measure"] == "accuracy"


def test_an_oracle_comes_last_whatever_a_pipeline_adds_after_it() -> None:
    results = [Result("source only", [accuracy(60)]), Result("with labels", [accuracy(80, oracle=True)])]
    table = build([*results, Result("adapted", [accuracy(70)])])
    assert table.columns == ("source only", "adapted", "with labels")
    assert [round(cell.mean, 2) for cell in table.summary[0].cells if cell] == [0.6, 0.7, 0.8]
    assert build(results[::-1]).columns == ("with labels", "source only")  # gains are over the first


def test_a_class_without_an_image_has_no_accuracy() -> None:
    missing = accuracy(60)
    missing["class_accuracy"]["one"] = None
    table = build([Result("a", [missing])])
    assert table.classes[1].cells == (None,)
    assert table.notes[0].startswith("– absent, nowhere labelled, and left out of the mean: one")


def test_accuracy_and_iou_do_not_go_in_one_table(evaluation: Make) -> None:
    with pytest.raises(ArtefactError, match="'b' was scored by accuracy but 'a' by IoU"):
        build([Result("a", [evaluation(2)]), Result("b", [accuracy(60)])])
    unknown = accuracy(60, measure="luck")
    with pytest.raises(ArtefactError, match="measure 'luck'; this segda shows IoU and accuracy"):
        build([Result("a", [unknown])])


GROUPS = {"categories": ["ground", "ground", "sky"], "subspaces": {"two": ["road", "car"], "one": ["car"]}}


def test_means_over_subspaces_and_categories_stand_after_the_headline(evaluation: Make) -> None:
    table = build([Result("a", [evaluation(2, **GROUPS)]), Result("b", [evaluation(7, **GROUPS)])])
    names = ["mIoU", "mIoU two", "mIoU one", "category mIoU", "pixel accuracy", "mean accuracy", "weighted IoU"]
    assert [line.name for line in table.summary] == names
    two, one, category = (line.cells[0] for line in table.summary[1:4])
    assert two is not None
    assert one is not None
    assert category is not None
    assert (two.mean, one.mean) == (pytest.approx((0.2 + 10 / 18) / 2), pytest.approx(10 / 18))
    assert category.mean == 1, "road and car are one category, and nothing is taken for sky"
    content = to_json(table)
    assert content["summary"]["mIoU one"]["b"]["gain"] == pytest.approx(10 / 13 - 10 / 18)
    assert list(content["sections"]) == ["category IoU"]
    assert content["sections"]["category IoU"]["ground"]["a"]["mean"] == 1
    assert content["sections"]["category IoU"]["sky"] == {"a": None, "b": None}
    lines = {line["class"]: line for line in csv.DictReader(io.StringIO(to_csv(table)))}
    assert lines["ground (category IoU)"]["b"] == "100.0"
    assert lines["mIoU two"]["a"] == "37.8"


def test_scores_along_borders_are_a_section_of_their_own(evaluation: Make) -> None:
    along = {"boundary": {"mean_iou": 0.25, "iou": {"road": 0.5, "car": 0.0, "sky": None}}}
    table = build([Result("a", [{**evaluation(2), **along}])])
    assert [line.name for line in table.summary][:2] == ["mIoU", "boundary mIoU"]
    assert to_json(table)["sections"]["boundary IoU"]["road"]["a"]["mean"] == 0.5
    assert "sky (boundary IoU)," in to_csv(table)


def test_what_some_evaluations_lack_is_not_shown(evaluation: Make) -> None:
    """Results of an earlier segda have no categories."""
    table = build([Result("a", [evaluation(2, **GROUPS)]), Result("b", [evaluation(7)])])
    assert [line.name for line in table.summary] == ["mIoU", "pixel accuracy", "mean accuracy", "weighted IoU"]
    assert table.sections == ()
    assert "sections" not in to_json(table)
    part = build([Result("a", [evaluation(2, **GROUPS)]), Result("b", [evaluation(7, subspaces={"one": ["car"]})])])
    assert [line.name for line in part.summary][:2] == ["mIoU", "mIoU one"]
