"""`segda score`: scores of any trainer's label images equal the official script's, whatever the files hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.__main__ import main
from pipelines.commands.score import KINDS
from segda import label_space
from segda.data.label_values import readings
from segda.label_spaces import cityscapes
from tests.configs import layouts

TRAIN_IDS = cityscapes.SPACE.table({**cityscapes.IDS}).astype(np.uint8)
COLOURS = np.zeros((256, 3), np.uint8)
COLOURS[: cityscapes.SPACE.count] = cityscapes.SPACE.palette

Run = Callable[..., dict[str, Any]]


def palette_png(path: Path, ids: np.ndarray) -> None:
    image = Image.fromarray(ids)
    image.putpalette(cityscapes.id_palette())
    image.save(path)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Two labels of Cityscapes that hold all classes, in the official layout with the other files of each image."""
    folder = layouts.cityscapes(tmp_path) / "gtFine" / "val"
    for index, path in enumerate(sorted(folder.rglob("*_labelIds.png"))):
        Image.fromarray(layouts.ids(128, 256, index, layouts.CITYSCAPES_IDS)).save(path)
    return folder


@pytest.fixture
def predictions(tmp_path: Path, labels: Path) -> Path:
    """Predictions of raw ids, right but for the upper 20 rows and where none counts, named as the server wants them."""
    folder = tmp_path / "predictions"
    folder.mkdir()
    for index, path in enumerate(sorted(labels.rglob("*_labelIds.png"))):
        ids = np.array(Image.open(path))
        ids[:20] = layouts.ids(20, ids.shape[1], 7 + index, layouts.CITYSCAPES_IDS)
        Image.fromarray(ids).save(folder / path.name.replace("gtFine_labelIds", "predictionIds"))
    return folder


@pytest.fixture
def scored(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str | Path) -> dict[str, Any]:
        assert main(["score", *map(str, words), "--json"]) == 0
        content = json.loads(capsys.readouterr().out)
        assert len(content) == 1
        return dict(next(iter(content.values())))

    return run


@pytest.fixture
def official(labels: Path, predictions: Path) -> dict[str, Any]:
    pytest.importorskip("cityscapesscripts")
    from tests.unit.metrics.test_official_evaluator import official_scores

    return official_scores(sorted(predictions.glob("*.png")), sorted(labels.rglob("*_labelIds.png")))


def rewritten(predictions: Path, write: Callable[[Path, np.ndarray], None], name: str = "{}_pred.png") -> None:
    for path in sorted(predictions.glob("*.png")):
        ids = np.array(Image.open(path))
        path.unlink()
        write(predictions / name.format(path.stem.removesuffix("_predictionIds")), ids)


WRITERS: dict[str, tuple[str, Callable[[Path, np.ndarray], None]]] = {
    "ids": ("ids", lambda path, ids: Image.fromarray(ids).save(path)),
    "palette": ("ids", palette_png),
    "16 bit": ("ids", lambda path, ids: Image.fromarray(ids.astype(np.uint16)).save(path)),
    "rgb of ids": ("ids", lambda path, ids: Image.fromarray(np.repeat(ids[..., None], 3, 2)).save(path)),
    "train ids": ("train-ids", lambda path, ids: Image.fromarray(TRAIN_IDS[ids]).save(path)),
    "rgb of train ids": (
        "train-ids", lambda path, ids: Image.fromarray(np.repeat(TRAIN_IDS[ids][..., None], 3, 2)).save(path),
    ),
    "colours": ("colours", lambda path, ids: Image.fromarray(COLOURS[TRAIN_IDS[ids]]).save(path)),
    "rgba": (
        "colours",
        lambda path, ids: Image.fromarray(np.dstack([COLOURS[TRAIN_IDS[ids]], np.full_like(ids, 99)])).save(path),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", WRITERS)
def test_scores_are_the_official_ones(
    form: str, labels: Path, predictions: Path, official: dict[str, Any], scored: Run
) -> None:
    kind, write = WRITERS[form]
    rewritten(predictions, write)
    content = scored(predictions, labels)
    assert content["protocol"]["predictions_read_as"] == kind
    assert content["protocol"]["labels_read_as"] == "ids"
    for name, iou in content["iou"].items():
        assert iou == pytest.approx(official["classScores"][name], abs=1e-6), name
    assert content["scores"]["mean_iou"] == pytest.approx(official["averageScoreClasses"], abs=1e-6)
    assert content["categories"]["mean_iou"] == pytest.approx(official["averageScoreCategories"], abs=1e-6)
    assert content["subspaces"]["synthia16"]["classes"] == 16


@pytest.mark.parametrize("name", ["{}.png", "pred_{}.png", "deep/er/{}_leftImg8bit_pred.png", "{}_gtFine_labelIds.png"])
def test_names_need_only_begin_alike(
    name: str, labels: Path, predictions: Path, official: dict[str, Any], scored: Run
) -> None:
    (predictions / "deep" / "er").mkdir(parents=True)
    rewritten(predictions, lambda path, ids: Image.fromarray(ids).save(path), name)
    assert scored(predictions, labels)["scores"]["mean_iou"] == pytest.approx(official["averageScoreClasses"], abs=1e-6)


def test_a_data_set_and_other_label_files_score_the_same(labels: Path, predictions: Path, scored: Run) -> None:
    expected = scored(predictions, labels)["confusion"]
    root = labels.parents[1]
    assert scored(predictions, "--data", "cityscapes", "--split", "val", "--root", root)["confusion"] == expected
    for path in labels.rglob("*_labelIds.png"):
        ids = np.array(Image.open(path))
        Image.fromarray(TRAIN_IDS[ids]).save(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
        Image.fromarray(COLOURS[TRAIN_IDS[ids]]).save(path.with_name(path.name.replace("labelIds", "color")))
    assert scored(predictions, labels)["protocol"]["labels_read_as"] == "ids"
    for kind in ("train-ids", "colours"):
        content = scored(predictions, labels, "--labelled-as", kind)
        assert content["protocol"]["labels_read_as"] == kind
        assert content["confusion"] == expected


def test_the_table_and_what_was_read(labels: Path, predictions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(predictions), str(labels)]) == 0
    out, err = capsys.readouterr()
    for line in ("road", "category IoU", "mIoU synthia13", "pixel accuracy"):
        assert line in out
    assert "labels read as ids, predictions as ids" in err
    assert "2 other files of the same images are not read" in err


def test_every_kind_may_be_named() -> None:
    spaces = (label_space.load(name) for name in ("cityscapes", "synthia16", "camvid"))
    assert {kind for space in spaces for kind in readings(space)} == set(KINDS)


def test_classes_of_ones_own(tmp_path: Path, scored: Run) -> None:
    (tmp_path / "coins.yaml").write_text("classes: {0: background, 1..254: coin}\nignore: 255\n")
    for name, values in (("labels", [0, 0, 7, 255]), ("predictions", [0, 1, 1, 1])):
        (tmp_path / name).mkdir()
        Image.fromarray(np.array([values], np.uint8)).save(tmp_path / name / "a.png")
    content = scored(tmp_path / "predictions", tmp_path / "labels", "--labels", tmp_path / "coins.yaml")
    assert content["iou"] == {"background": 0.5, "coin": 0.5}


@pytest.mark.parametrize(
    ("values", "found"),
    [([0, 7, 8, 11], None), ([0, 1, 2, 8, 10, 255], "train-ids"), ([7, 8, 33], "ids"), ([7, 8, 11], None)],
)
def test_values_that_may_mean_two_things_are_asked_for(
    values: list[int],
    found: str | None,
    labels: Path,
    predictions: Path,
    capsys: pytest.CaptureFixture[str],
    scored: Run,
) -> None:
    rewritten(predictions, lambda path, ids: Image.fromarray(np.resize(np.uint8(values), ids.shape)).save(path))
    if found is not None:
        assert scored(predictions, labels)["protocol"]["predictions_read_as"] == found
        return
    assert main(["score", str(predictions), str(labels)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: predictions: the values ")
    assert "may be ids or train-ids" in error
    assert error.rstrip().endswith("say which by --predicted-as")
    assert scored(predictions, labels, "--predicted-as", "ids")["protocol"]["predictions_read_as"] == "ids"


def listed(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What is printed by a command that finds problems."""
    assert main(["score", *map(str, words)]) == 1
    return capsys.readouterr().out


def test_files_that_stand_against_a_score_are_listed(
    labels: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = sorted(predictions.glob("*.png"))
    ids = np.array(Image.open(second))
    Image.fromarray(ids).save(predictions / "berlin_000000_000000_predictionIds.png")
    assert "prediction without label: 1\n" in listed(capsys, predictions, labels)
    (predictions / "berlin_000000_000000_predictionIds.png").rename(first.with_name(f"{first.stem}_again.png"))
    assert "several predictions of one label: 1\n" in listed(capsys, predictions, labels)
    first.with_name(f"{first.stem}_again.png").unlink()
    first.write_bytes(first.read_bytes()[:100])
    assert f"broken file: 1\n  {first}: " in listed(capsys, predictions, labels)
    first.unlink()
    assert "label without prediction: 1\n" in listed(capsys, predictions, labels)
    Image.fromarray(ids[:64]).save(first)
    out = listed(capsys, predictions, labels)
    assert f"another size: 1\n  {first}: 64x256, label 128x256 (height x width)" in out
    ids[5, 5:9] = 77
    Image.fromarray(ids).save(first)
    assert f"prediction outside the map: 1\n  {first}: 77, 4 pixels in all, read as ids\nproblems found: 1" in listed(
        capsys, predictions, labels
    )


def test_another_size_is_resized_if_asked_for(labels: Path, predictions: Path, scored: Run) -> None:
    rewritten(
        predictions, lambda path, ids: Image.fromarray(np.repeat(np.repeat(ids, 2, 0), 2, 1)).save(path), "{}_x.png"
    )
    content = scored(predictions, labels, "--resize")
    assert content["protocol"]["resized"] == 2
    rewritten(predictions, lambda path, ids: Image.fromarray(ids[::2, ::2]).save(path), "{}.png")
    assert content["confusion"] == scored(predictions, labels)["confusion"]


def test_names_that_several_folders_share_count_with_their_folders(tmp_path: Path, scored: Run) -> None:
    for folder, value in (("labels/a", 3), ("labels/b", 4), ("predictions/a", 3), ("predictions/b", 5)):
        (tmp_path / folder).mkdir(parents=True)
        name = "0001.png" if folder.startswith("labels") else "0001_pred.png"
        Image.fromarray(np.full((4, 4), value, np.uint8)).save(tmp_path / folder / name)
    content = scored(tmp_path / "predictions", tmp_path / "labels", "--labels", "camvid")
    assert content["scores"]["pixel_accuracy"] == 0.5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("empty gtFine/val", "holds no prediction image"),
        ("predictions empty", "holds no label image"),
        ("none gtFine/val", "no such folder"),
        ("predictions", "expected a folder of LABELS, or --data NAME"),
        ("predictions gtFine/val --data cityscapes", "and not both"),
        ("predictions gtFine/val --split val", "--split and --root are of --data"),
        ("predictions --data cityscapes --labelled-as ids", "the reader of --data knows"),
        ("predictions gtFine/val --labels camvid --predicted-as train-ids", "has none; read them as one of"),
        ("predictions gtFine/train", "no prediction belongs to a label"),
    ],
)
def test_a_wrong_call_is_one_line(
    words: str, said: str, tmp_path: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    root = tmp_path / "cityscapes"
    paths = {"gtFine/val": root / "gtFine/val", "gtFine/train": root / "gtFine/train"}
    paths |= {name: tmp_path / name for name in ("empty", "none", "predictions")}
    assert main(["score", *(str(paths.get(word, word)) for word in words.split())]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert said in error


def test_a_photograph_is_no_label_image(labels: Path, predictions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    rewritten(
        predictions, lambda path, ids: Image.fromarray(random.integers(0, 255, (*ids.shape, 3), np.uint8)).save(path)
    )
    assert "so it is no label image" in listed(capsys, predictions, labels)
