"""Scores from label and prediction files, against cityscapesScripts' evaluation of the same files."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segda.data.decode import read_index
from segda.label_spaces import cityscapes
from segda.metrics.mean_iou import Confusion

official = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")

SPACE = cityscapes.SPACE
TABLE = SPACE.table({**cityscapes.IDS})
ALL = tuple(range(34))
IGNORED = tuple(id for id in ALL if id not in cityscapes.EVALUATED)


def official_scores(predictions: list[Path], labels: list[Path]) -> dict[str, Any]:
    """The scores of `csEvalPixelLevelSemanticLabeling`, without its output and JSON file."""
    arguments = copy.copy(official.args)
    arguments.evalInstLevelScore, arguments.quiet, arguments.JSONOutput = False, True, False
    files = [str(path) for path in predictions], [str(path) for path in labels]
    scores: dict[str, Any] = official.evaluateImgLists(*files, arguments)
    return scores


def ours(predictions: list[Path], labels: list[Path]) -> Confusion:
    confusion = Confusion(SPACE.classes)
    for prediction, label in zip(predictions, labels, strict=True):
        ids = read_index(label), read_index(prediction)
        confusion.update(*(TABLE[each].astype(np.uint8) for each in ids), name=str(label))
    return confusion


def written(folder: Path, pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list[Path], list[Path]]:
    """Write pairs of label and prediction as files of raw ids; returns predictions and labels."""
    for number, pair in enumerate(pairs):
        for name, ids in zip(("label", "prediction"), pair, strict=True):
            Image.fromarray(ids.astype(np.uint8)).save(folder / f"{number}_{name}.png")
    names = range(len(pairs))
    return [folder / f"{n}_prediction.png" for n in names], [folder / f"{n}_label.png" for n in names]


def equal(confusion: Confusion, expected: dict[str, Any]) -> None:
    for name, value in zip(confusion.classes, confusion.iou(), strict=True):
        assert value == pytest.approx(expected["classScores"][name], abs=1e-6, nan_ok=True), name
    assert confusion.mean_iou() == pytest.approx(expected["averageScoreClasses"], abs=1e-6, nan_ok=True)
    categories = confusion.merged(SPACE.categories)
    assert {*categories.classes, "void"} == set(expected["categoryScores"])
    for name, value in zip(categories.classes, categories.iou(), strict=True):
        assert value == pytest.approx(expected["categoryScores"][name], abs=1e-6, nan_ok=True), name
    assert categories.mean_iou() == pytest.approx(expected["averageScoreCategories"], abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("labelled", "predicted"),
    [
        (ALL, cityscapes.EVALUATED),
        (ALL, ALL),
        (cityscapes.EVALUATED, ALL),
        (IGNORED, ALL),
        ((7, 26, 0), (7, 8, 27, 10)),
        ((7,), (26,)),
        ((23, 24), IGNORED),
    ],
    ids=["networks", "ignored ids on both sides", "into ignored ids", "nothing scored", "missing classes", "one class",
         "ignored ids alone"],
)  # fmt: skip
def test_every_iou_equals_the_official_one(
    tmp_path: Path, labelled: tuple[int, ...], predicted: tuple[int, ...], seed: int
) -> None:
    """Random ids in images of odd sizes, a third of the predictions right where they can be."""
    draws = np.random.default_rng(seed)
    pairs = []
    for size in ((1, 1), (3, 7), (31, 64), (17, 5)):
        label = draws.choice(labelled, size)
        prediction = draws.choice(predicted, size)
        right = (draws.random(size) < 1 / 3) & np.isin(label, predicted)
        pairs.append((label, np.where(right, label, prediction)))
    files = written(tmp_path, pairs)
    confusion = ours(*files)
    equal(confusion, official_scores(*files))
    assert confusion.pixels + confusion.ignored == sum(label.size for label, _ in pairs)


def test_the_comparison_catches_a_single_pixel(tmp_path: Path) -> None:
    label = np.full((40, 50), 7)
    label[:, 25:] = 26
    files = written(tmp_path, [(label, label)])
    expected = official_scores(*files)
    changed = label.copy()
    changed[0, 0] = 26
    with pytest.raises(AssertionError, match="road"):
        equal(ours(*written(tmp_path, [(label, changed)])), expected)


def test_the_category_of_every_class_is_the_official_one() -> None:
    from cityscapesscripts.helpers.labels import name2label

    assert SPACE.categories == tuple(name2label[name].category for name in SPACE.classes)
