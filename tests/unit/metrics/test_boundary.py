"""Boundary IoU: by hand, against the authors' mask by mask definition, with ignored pixels, and over processes."""

import json
import math
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from segda.errors import ArtefactError, ConfigError, DataError
from segda.metrics.boundary import Boundary

CLASSES = ("road", "car", "sky")


def counted(label: np.ndarray, prediction: np.ndarray, width: float = 0.01) -> Boundary:
    boundary = Boundary(CLASSES, width=width)
    boundary.update(label.astype(np.uint8), prediction.astype(np.uint8))
    return boundary


def mask_to_boundary(mask: np.ndarray, distance: int) -> np.ndarray:
    """The paper's definition for one mask: what erosion removes, at the image's edge, too."""
    padded = np.pad(mask.astype(np.uint8), 1)
    for _ in range(distance):
        padded = cv2.erode(padded, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=(0,))
    inner: np.ndarray = padded[1:-1, 1:-1].astype(bool)
    return mask & ~inner


def test_by_hand() -> None:
    """A car of 3x3 in a 7x7 road, predicted one column further right; boundaries are one pixel wide."""
    label = np.zeros((7, 7))
    label[2:5, 2:5] = 1
    prediction = np.zeros((7, 7))
    prediction[2:5, 3:6] = 1
    boundary = counted(label, prediction)
    # Car: the ring of 8 pixels each. They share columns 3 and 4, of which (3, 3) and (3, 4) are inside one car each.
    assert boundary.counts[:, 1].tolist() == [8, 8, 4]
    assert boundary.iou()[1] == pytest.approx(4 / 12)
    # Road: the 24 pixels of the image's edge, and 16 around the car, of which the moved one has 5 on the edge.
    assert boundary.counts[:2, 0].tolist() == [24 + 16, 24 + 16 - 5]
    # Both: the edge, and columns 2 to 5 above and below.
    assert boundary.counts[2, 0] == 24 + 2 * 4
    assert math.isnan(boundary.iou()[2])
    assert boundary.mean_iou() == pytest.approx(boundary.iou()[:2].mean())


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (13, 7), (40, 61)])
@pytest.mark.parametrize("width", [0.01, 0.05, 0.3])
def test_equals_the_definition_for_each_class_alone(size: tuple[int, int], width: float) -> None:
    draws = np.random.default_rng(0)
    maps = []
    for _ in range(2):
        coarse = draws.integers(0, 3, (max(1, size[0] // 4), max(1, size[1] // 4)), dtype=np.uint8)
        maps.append(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST))
    boundary = counted(*maps, width=width)
    distance = max(1, round(width * math.hypot(*size)))
    for index in range(3):
        truth, guess = (mask_to_boundary(each == index, distance) for each in maps)
        assert boundary.counts[:, index].tolist() == [truth.sum(), guess.sum(), (truth & guess).sum()]


def test_it_falls_where_iou_hardly_changes() -> None:
    """The same large square, exact and with a ragged edge."""
    label = np.zeros((200, 200))
    label[20:180, 20:180] = 1
    ragged = label.copy()
    ragged[20:180:2, 20:24] = 0
    boundary = counted(label, ragged, width=0.015)
    assert boundary.iou()[1] < 0.9
    iou = ((label == 1) & (ragged == 1)).sum() / ((label == 1) | (ragged == 1)).sum()
    assert iou > 0.98
    assert counted(label, label).iou()[1] == 1


def test_nothing_is_scored_on_or_along_ignored_pixels() -> None:
    """Road left, car right, an ignored stripe between: no classes touch, so only the image's edge is a boundary."""
    label = np.zeros((30, 30))
    label[:, 16:] = 1
    label[:, 14:16] = 255
    prediction = np.where(label == 255, 7, label)  # any class there
    boundary = counted(label, prediction, width=0.025)
    edge = 30 * 14 - 28 * 13
    assert boundary.counts.tolist() == [[edge, edge, 0]] * 3
    other = prediction.copy()
    other[:, 14:16] = 0
    assert (counted(label, other, width=0.025).counts == boundary.counts).all(), "under ignored labels nothing counts"


def test_a_prediction_of_no_class_has_no_boundary_but_cuts_others() -> None:
    label, prediction = np.zeros((20, 20)), np.zeros((20, 20))
    prediction[8:11, 8:11] = 255
    boundary = counted(label, prediction)
    assert boundary.counts[:, 0].tolist() == [76, 76 + 16, 76]


def test_sums_over_images_and_processes() -> None:
    draws = np.random.default_rng(1)
    images = [tuple(draws.integers(0, 3, (9, 11), dtype=np.uint8) for _ in range(2)) for _ in range(5)]
    whole = Boundary(CLASSES)
    parts = [Boundary(CLASSES) for _ in range(2)]
    for number, pair in enumerate(images):
        whole.update(*pair)
        parts[number % 2].update(*pair)
    total = whole.from_tensor(torch.stack([part.to_tensor() for part in parts]).sum(dim=0))
    assert (total.counts == whole.counts).all()
    labelled, predicted, met = whole.counts
    assert total.iou() == pytest.approx(met / (labelled + predicted - met)), "taken once, from the sums"


def test_json_round_trip() -> None:
    boundary = counted(np.eye(6), np.ones((6, 6)), width=0.03)
    loaded = Boundary.from_json(json.loads(json.dumps(boundary.to_json())))
    assert (loaded.counts == boundary.counts).all()
    assert (loaded.classes, loaded.width) == (CLASSES, 0.03)


@pytest.mark.parametrize("change", [{"met": [1]}, {"labelled": [0.5, 1, 1]}, {"met": [-1, 0, 0]}, {"width": None}])
def test_damaged_content_is_an_error_that_names_its_file(change: dict[str, Any]) -> None:
    with pytest.raises(ArtefactError, match=r"evaluation\.json"):
        Boundary.from_json(Boundary(CLASSES).to_json() | change, "evaluation.json")


def test_invalid_maps_are_refused_and_leave_no_counts() -> None:
    boundary = Boundary(CLASSES)
    with pytest.raises(DataError, match=r"a\.png: value 9"):
        boundary.update(np.full((4, 4), 9), np.zeros((4, 4), int), name="a.png")
    with pytest.raises(DataError, match="height by width"):
        boundary.update(np.array(1), np.array(1))
    with pytest.raises(DataError, match="height by width"):
        boundary.update(np.zeros((4, 5), int), np.zeros((5, 4), int))
    assert not boundary.counts.any()
    with pytest.raises(ConfigError, match="width 0"):
        Boundary(CLASSES, width=0)
