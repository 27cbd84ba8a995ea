"""Scores of the confusion matrix: by hand, against a naive count, and against the official Cityscapes evaluator."""

import json
import math
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segda.errors import ArtefactError, ConfigError, DataError
from segda.metrics.mean_iou import Confusion
from segda.metrics.pair_counts import count_on_device, count_pairs

CLASSES = ("road", "car", "sky", "person")


def scored(label: list[list[int]], prediction: list[list[int]], classes: tuple[str, ...] = CLASSES) -> Confusion:
    confusion = Confusion(classes)
    confusion.update(np.array(label, dtype=np.uint8), np.array(prediction, dtype=np.uint8))
    return confusion


@pytest.fixture
def by_hand() -> Confusion:
    """Road: 3 right, 1 predicted as car. Car: 2 right. Sky and person: nowhere. One ignored pixel."""
    return scored([[0, 0, 0, 0], [1, 1, 255, 255]], [[0, 0, 0, 1], [1, 1, 3, 0]])


def test_rows_are_labels_and_columns_predictions(by_hand: Confusion) -> None:
    assert by_hand.counts.tolist() == [[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert by_hand.counts.dtype == np.int64
    assert (by_hand.pixels, by_hand.ignored) == (6, 2)


def test_scores_by_hand(by_hand: Confusion) -> None:
    assert by_hand.iou()[:2] == pytest.approx([3 / 4, 2 / 3])
    assert by_hand.mean_iou() == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert by_hand.pixel_accuracy() == pytest.approx(5 / 6)
    assert by_hand.mean_accuracy() == pytest.approx((3 / 4 + 1) / 2)
    assert by_hand.frequency_weighted_iou() == pytest.approx(4 / 6 * 3 / 4 + 2 / 6 * 2 / 3)


@pytest.mark.promise("absent-classes")
def test_absent_classes_are_nan_and_left_out_not_counted_as_zero_or_one(by_hand: Confusion) -> None:
    assert by_hand.absent() == ("sky", "person")
    assert np.isnan(by_hand.iou()[2:]).all()


@pytest.mark.promise("absent-classes")
def test_a_class_that_is_predicted_but_never_labelled_scores_zero_and_stays_in_the_mean() -> None:
    confusion = scored([[0, 0]], [[0, 2]])
    assert confusion.iou()[2] == 0
    assert confusion.absent() == ("car", "person")
    assert confusion.mean_iou() == pytest.approx((1 / 2 + 0) / 2)
    assert confusion.mean_accuracy() == pytest.approx(1 / 2), "recall is over labelled classes only"


def test_nothing_scored_is_nan_not_an_error_or_a_warning() -> None:
    confusion = scored([[255, 255]], [[0, 1]])
    for score in (
        confusion.mean_iou(),
        confusion.pixel_accuracy(),
        confusion.mean_accuracy(),
        confusion.frequency_weighted_iou(),
    ):
        assert math.isnan(score)
    assert confusion.ignored == 2


def test_subset_averages_the_iou_among_all_classes() -> None:
    confusion = scored([[0, 0, 1, 2]], [[0, 2, 1, 2]])
    assert confusion.mean_iou(["road", "car"]) == pytest.approx((1 / 2 + 1) / 2), "road lost a pixel to sky, outside"
    assert confusion.mean_iou(["car", "person"]) == pytest.approx(1), "person is absent"
    assert math.isnan(confusion.mean_iou(["person"]))


@pytest.mark.parametrize("names", [["road", "horse"], ["road", "road"]])
def test_a_subset_of_unknown_or_repeated_classes_is_an_error(by_hand: Confusion, names: list[str]) -> None:
    with pytest.raises(ConfigError, match="horse|twice"):
        by_hand.mean_iou(names)


@pytest.mark.parametrize("value", [4, 200, 254])
def test_label_values_outside_the_space_are_an_error_that_names_file_and_value(value: int) -> None:
    with pytest.raises(DataError, match=rf"a/b\.png: label value {value} at 1 pixels"):
        Confusion(CLASSES).update(np.array([[0, value]]), np.array([[0, 0]]), name="a/b.png")


@pytest.mark.parametrize("value", [-1, 256, 65536])
def test_values_that_do_not_fit_a_byte_are_not_wrapped_into_a_class(value: int) -> None:
    with pytest.raises(DataError, match=f"value {value} "):
        Confusion(CLASSES).update(np.array([[0, value]], dtype=np.int64), np.array([[0, 0]]))
    with pytest.raises(DataError, match=f"value {value} "):
        Confusion(CLASSES).update(np.array([[0, 0]]), torch.tensor([[0, value]]))


def test_predictions_outside_the_space_are_an_error_unless_the_label_is_ignored() -> None:
    confusion = Confusion(CLASSES)
    confusion.update(np.array([[255, 0]]), np.array([[7, 0]]))
    assert (confusion.pixels, confusion.ignored) == (1, 1)
    with pytest.raises(DataError, match="predicted class 7"):
        confusion.update(np.array([[0, 0]]), np.array([[7, 0]]))
    assert confusion.pixels == 1, "a refused image leaves no counts behind"


def test_a_prediction_of_the_ignore_index_is_wrong_for_its_class_and_of_no_other() -> None:
    confusion = scored([[0, 0, 1, 255]], [[0, 255, 1, 255]])
    assert confusion.counts.tolist()[:2] == [[1, 0, 0, 0], [0, 1, 0, 0]]
    assert (confusion.rejected.tolist(), confusion.pixels, confusion.ignored) == ([1, 0, 0, 0], 3, 1)
    assert confusion.iou()[:2] == pytest.approx([1 / 2, 1])
    assert confusion.pixel_accuracy() == pytest.approx(2 / 3)
    assert confusion.mean_accuracy() == pytest.approx(3 / 4)
    assert confusion.frequency_weighted_iou() == pytest.approx(2 / 3 * 1 / 2 + 1 / 3)
    assert (confusion + confusion).rejected.tolist() == [2, 0, 0, 0]
    assert confusion.from_tensor(confusion.to_tensor()).rejected.tolist() == [1, 0, 0, 0]
    assert Confusion.from_json(json.loads(json.dumps(confusion.to_json()))).rejected.tolist() == [1, 0, 0, 0]


def test_categories_by_hand() -> None:
    """Road and car are one category: confusing them is no error."""
    confusion = scored([[0, 0, 1, 2, 2]], [[0, 1, 2, 2, 255]])
    merged = confusion.merged(["ground", "ground", "sky", "human"])
    assert merged.classes == ("ground", "sky", "human")
    # Sky: one correct, one as ground, one rejected.
    np.testing.assert_allclose(merged.iou(), [2 / 3, 1 / 3, math.nan])
    with pytest.raises(ConfigError, match="3 groups for 4 classes"):
        confusion.merged(["ground", "sky", "sky"])


def test_shapes_must_agree_even_if_the_number_of_pixels_does() -> None:
    with pytest.raises(DataError, match=r"\(2, 3\).*\(3, 2\)"):
        Confusion(CLASSES).update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_fractions_are_not_class_indices() -> None:
    with pytest.raises(DataError, match="float32"):
        Confusion(CLASSES).update(np.zeros((2, 3), np.uint8), torch.zeros(2, 3))


@pytest.mark.parametrize(
    "convert",
    [
        lambda a: a.astype(np.uint8),
        lambda a: a.astype(np.int16),
        lambda a: torch.from_numpy(a),
        lambda a: torch.from_numpy(a.astype(np.uint8)),
        np.asfortranarray,
    ],
)
def test_arrays_and_tensors_of_any_integer_type_give_the_same_counts(convert: Callable[[np.ndarray], Any]) -> None:
    label, prediction = np.array([[0, 1, 255], [3, 3, 2]]), np.array([[0, 2, 1], [3, 1, 2]])
    expected, actual = Confusion(CLASSES), Confusion(CLASSES)
    expected.update(label, prediction)
    actual.update(convert(label), convert(prediction))
    assert (actual.counts == expected.counts).all()
    assert actual.ignored == 1


def naive(label: np.ndarray, prediction: np.ndarray, classes: int) -> tuple[list[float], list[list[int]], int]:
    """The scores, counted pixel by pixel from the definition."""
    pairs = [(int(a), int(b)) for a, b in zip(label.ravel(), prediction.ravel(), strict=True) if a != 255]
    counts = [[sum(pair == (row, column) for pair in pairs) for column in range(classes)] for row in range(classes)]
    scores = []
    for c in range(classes):
        union = sum(c in pair for pair in pairs)
        scores.append(sum(pair == (c, c) for pair in pairs) / union if union else math.nan)
    return scores, counts, label.size - len(pairs)


shapes = st.tuples(st.integers(1, 5), st.integers(1, 6))
maps = shapes.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 3, 255])),
        hnp.arrays(np.uint8, shape, elements=st.integers(0, 3)),
    )
)


@pytest.mark.promise("counts-equal-cityscapes")
@given(maps)
def test_equals_the_naive_count(pair: tuple[np.ndarray, np.ndarray]) -> None:
    confusion = Confusion(CLASSES)
    confusion.update(*pair)
    iou, counts, ignored = naive(*pair, classes=4)
    assert confusion.counts.tolist() == counts
    assert confusion.ignored == ignored
    np.testing.assert_allclose(confusion.iou(), iou)
    present = [value for value in iou if not math.isnan(value)]
    np.testing.assert_allclose(confusion.mean_iou(), np.mean(present) if present else math.nan)


@given(maps)
def test_counting_on_an_accelerator_gives_the_same_counts(pair: tuple[np.ndarray, np.ndarray]) -> None:
    label, prediction = torch.from_numpy(pair[0]), torch.from_numpy(pair[1]).long()
    assert (count_on_device(label, prediction, "label") == count_pairs(*pair, "label")).all()


@pytest.mark.parametrize(
    ("prediction", "message"), [([0, -1], "value -1"), ([0, 256], "value 256"), ([0.5, 0], "float")]
)
def test_counting_on_an_accelerator_refuses_the_same_values(prediction: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        count_on_device(torch.tensor([0, 0]), torch.tensor(prediction), "label")


@pytest.mark.gpu
def test_labels_on_a_gpu_count_as_on_the_cpu() -> None:
    label = torch.randint(0, 4, (64, 64), generator=torch.Generator().manual_seed(0))
    on_gpu, on_cpu = Confusion(CLASSES), Confusion(CLASSES)
    on_gpu.update(label.cuda(), label.T.cuda())
    on_cpu.update(label, label.T)
    assert (on_gpu.counts == on_cpu.counts).all()


@pytest.mark.promise("whole-counts")
@settings(max_examples=30)
@given(st.lists(maps, min_size=2, max_size=5), st.integers(2, 4))
def test_counts_add_up_however_the_images_are_split(images: list[tuple[np.ndarray, np.ndarray]], world: int) -> None:
    whole = Confusion(CLASSES)
    for image in images:
        whole.update(*image)
    parts = []
    for rank in range(world):
        part = Confusion(CLASSES)
        for image in images[rank::world]:
            part.update(*image)
        parts.append(part)
    added = sum(parts[1:], start=parts[0])
    reduced = whole.from_tensor(torch.stack([part.to_tensor() for part in parts]).sum(dim=0))
    for total in (added, reduced):
        assert (total.counts == whole.counts).all()
        assert total.ignored == whole.ignored


@pytest.mark.promise("counts-equal-cityscapes")
@given(maps)
def test_equals_the_official_cityscapes_evaluator(pair: tuple[np.ndarray, np.ndarray]) -> None:
    official = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    from cityscapesscripts.helpers.labels import trainId2label

    names = [trainId2label[index].name for index in range(19)]
    label, prediction = np.where(pair[0] == 255, 255, pair[0] * 5), pair[1] * 5  # road, pole, sky, bus
    confusion = Confusion(names)
    confusion.update(label, prediction)

    arguments = SimpleNamespace()
    matrix = official.generateMatrix(arguments)
    for true, predicted in zip(label.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        matrix[0 if true == 255 else trainId2label[true].id, trainId2label[predicted].id] += 1
    scores = {
        name: official.getIouScoreForLabel(trainId2label[index].id, matrix, arguments)
        for index, name in enumerate(names)
    }
    np.testing.assert_allclose(confusion.iou(), list(scores.values()))
    np.testing.assert_allclose(confusion.mean_iou(), official.getScoreAverage(scores, arguments))


def test_different_label_spaces_do_not_add_up() -> None:
    with pytest.raises(ConfigError, match="one label space"):
        Confusion(CLASSES) + Confusion(("a", "b", "c", "d"))


@pytest.mark.parametrize(("classes", "ignore_index"), [((), 255), (CLASSES, 2), (CLASSES, 256)])
def test_an_ignore_index_that_is_a_class_or_no_byte_is_an_error(classes: tuple[str, ...], ignore_index: int) -> None:
    with pytest.raises(ConfigError, match="ignore index"):
        Confusion(classes, ignore_index)


def test_json_keeps_counts_beyond_what_floats_can() -> None:
    confusion = Confusion(CLASSES, ignore_index=254)
    confusion.counts[0, 1] = 2**60 + 1
    confusion.ignored = 2**55 + 1
    loaded = Confusion.from_json(json.loads(json.dumps(confusion.to_json())))
    assert (loaded.counts == confusion.counts).all()
    assert (loaded.ignored, loaded.classes, loaded.ignore_index) == (2**55 + 1, CLASSES, 254)


@pytest.mark.parametrize(
    "change",
    [
        {"counts": [[1, 2]]},
        {"counts": [[0.5] * 4] * 4},
        {"counts": [[-1] * 4] * 4},
        {"classes": ["a"]},
        {"ignored": None},
        {"rejected": [1]},
        {"rejected": [-1, 0, 0, 0]},
    ],
)
def test_damaged_content_is_an_error_that_names_its_file(change: dict[str, Any]) -> None:
    with pytest.raises(ArtefactError, match=r"evaluation\.json"):
        Confusion.from_json(Confusion(CLASSES).to_json() | change, "evaluation.json")


@pytest.mark.promise("whole-counts")
@pytest.mark.parametrize("side", [4096, 4097])
def test_images_of_more_pixels_than_a_float_can_count_are_counted_exactly(side: int) -> None:
    label = np.zeros((side, side), dtype=np.uint8)
    confusion = Confusion(CLASSES)
    confusion.update(label, label)
    assert confusion.counts[0, 0] == side**2


def test_an_image_without_pixels_counts_nothing() -> None:
    confusion = Confusion(CLASSES)
    confusion.update(np.zeros((0, 5), np.uint8), np.zeros((0, 5), np.uint8))
    assert (confusion.pixels, confusion.ignored) == (0, 0)


def test_a_cityscapes_sized_image_is_counted_fast() -> None:
    label = np.random.default_rng(0).integers(0, 19, (1024, 2048), dtype=np.uint8)
    confusion, best = Confusion([str(index) for index in range(19)]), math.inf
    for _ in range(7):
        start = time.perf_counter()
        confusion.update(label, label.astype(np.int64))
        best = min(best, time.perf_counter() - start)
    assert best < 0.1, "about 8 ms, most of it spent on the 64-bit prediction; ten times that only on a crowded machine"
