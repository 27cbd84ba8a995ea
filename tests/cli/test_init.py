"""`segda init`: from two folders to a pipeline that can be planned, whatever their layout; and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.__main__ import main
from pipelines.definition import loading
from segda.data import layout
from segda.errors import DataError
from segda.label_spaces import cityscapes

RANDOM = np.random.default_rng(0)
SIZE = (96, 160)
THREE = [(0, 0, 0), (10, 200, 30), (250, 0, 9)]


def write_image(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)


def write_label(path: Path, values: list[int], colours: list[tuple[int, int, int]] | None = None) -> None:
    """Blocks of values, all of which are there; as colours, if some are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.resize(np.uint8(values), (SIZE[0] // 16, SIZE[1] // 16))
    pixels = np.repeat(np.repeat(blocks, 16, 0), 16, 1)
    Image.fromarray(pixels if colours is None else np.array(colours, np.uint8)[pixels]).save(path)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with photographs in `photos`."""
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        write_image(tmp_path / "photos" / "day" / f"p{number}.jpg", (120, 200))
    return tmp_path


def own(folder: Path, values: list[int]) -> None:
    for number in range(3):
        write_image(folder / "images" / f"{number:04}.jpg")
        write_label(folder / "labels" / f"{number:04}.png", values)


def beside(folder: Path, values: list[int]) -> None:
    for number in range(3):
        write_image(folder / f"a{number}.png")
        write_label(folder / f"a{number}_mask.png", values)


def by_kind(folder: Path, values: list[int]) -> None:
    for number in range(3):
        write_image(folder / f"a{number}.jpg")
        write_label(folder / f"a{number}.png", values)


def splits(folder: Path, values: list[int]) -> None:
    for split in ("train", "val"):
        for number in range(3):
            write_image(folder / split / "rgb" / f"x_{number}_cam.png")
            write_label(folder / split / "gt" / f"x_{number}_labelIds.png", values)


def cities(folder: Path, values: list[int]) -> None:
    for split, city in (("train", "bonn"), ("train", "ulm"), ("val", "kiel")):
        for number in range(2):
            write_image(folder / "leftImg8bit" / split / city / f"{city}_{number}_leftImg8bit.png")
            write_label(folder / "gtFine" / split / city / f"{city}_{number}_gtFine_labelIds.png", values)
            write_label(folder / "gtFine" / split / city / f"{city}_{number}_gtFine_color.png", [0, 1, 2], THREE)
            write_label(folder / "gtFine" / split / city / f"{city}_{number}_gtFine_instanceIds.png", values)


STREET = [0, 3, *cityscapes.EVALUATED]


@pytest.mark.parametrize(
    ("write", "values", "expected"),
    [
        (own, [0, 1], ("images", "labels", (".png",), ())),
        (beside, [0, 255], (".", ".", ("_mask.png",), ())),
        (by_kind, [0, 1], (".", ".", (".png",), ())),
        (splits, STREET, ("{split}/rgb", "{split}/gt", ("_labelIds.png",), ("train", "val"))),
        (cities, STREET, ("leftImg8bit/{split}", "gtFine/{split}", ("_gtFine_labelIds.png",), ("train", "val"))),
    ],
)
def test_layouts_are_found(
    write: Callable[[Path, list[int]], None], values: list[int], expected: tuple[object, ...], here: Path
) -> None:
    write(here / "mine", values)
    found = layout.find_labelled(here / "mine")
    assert (found.images, found.labels, found.label_endings, found.splits) == expected
    assert layout.find_images(here / "mine") == found


def test_labels_are_told_from_images_by_what_they_hold(here: Path) -> None:
    for number in range(3):
        write_image(here / "mine" / "b" / f"{number}.png")
        write_label(here / "mine" / "a" / f"{number}.png", [0, 1, 2])
    found = layout.find_labelled(here / "mine")
    assert (found.images, found.labels) == ("b", "a")
    for number in range(3):
        write_image(here / "mine" / "a" / f"{number}.png")
    with pytest.raises(DataError, match="cannot tell which are the labels, .*call their folder labels"):
        layout.find_labelled(here / "mine")


def init(*words: str) -> int:
    return main(["init", "tour", "--target", "photos", "--encoder", "small", *words])


def planned(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["run", "tour.yaml", "--plan"]) == 0
    return capsys.readouterr().out


def test_a_folder_of_own_classes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(here / "mine", [0, 1, 2, 255])
    assert init("--source", "mine") == 0
    out = capsys.readouterr().out
    assert "labels: the values 0..2, 255: a class for each, 255 ignored, to be renamed" in out
    assert "no problems found" in out
    assert "target: 3 images, most of them 120x200 (height x width)" in out
    assert "it has no label images, so nothing is scored" in out
    assert "written: tour_classes.yaml\nwritten: tour.yaml\n" in out
    assert (
        (here / "tour_classes.yaml")
        .read_text()
        .endswith("classes:\n  0: class_0\n  1: class_1\n  2: class_2\nignore: 255\n")
    )
    assert "source" in planned(capsys)
    stages = loading.load("tour.yaml").stages
    assert list(stages) == ["source", "adapted"]
    adapted = stages["adapted"].config
    assert (adapted.source.resize, adapted.target.resize, adapted.crop) == ((96, 160), (128, 192), (96, 160))
    assert adapted.task.options["labels"]["classes"] == ["class_0", "class_1", "class_2"]
    (here / "tour_classes.yaml").write_text("classes: {0: ground, 1: coin, 2: coin}\nignore: 255\n")
    assert loading.load("tour.yaml").stages["source"].config.task.options["labels"]["classes"] == ["ground", "coin"]


def test_a_target_with_labels_is_scored(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(here / "mine", STREET)
    splits(here / "photos", STREET)
    assert init("--source", "mine") == 0
    assert "so its 19 classes" in capsys.readouterr().out
    assert "evaluate" in planned(capsys)
    stages = loading.load("tour.yaml").stages
    assert list(stages) == ["source", "adapted", "evaluate", "report"]
    assert stages["source"].config.task.options["labels"] == "cityscapes"
    assert stages["adapted"].config.target.split == "train"
    assert stages["evaluate"].config.data.split == "val"


def test_labels_of_the_target_that_mean_something_else_are_left_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own(here / "mine", [0, 1])
    own(here / "other", [0, 1, 7])
    assert init("--source", "mine", "--target", "other") == 0
    assert "its label images do not fit the source's (" in capsys.readouterr().out
    assert list(loading.load("tour.yaml").stages) == ["source", "adapted"]


def test_colours(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        write_image(here / "mine" / "rgb" / f"{number}.png")
        write_label(here / "mine" / "seg" / f"{number}.png", list(range(19)), list(cityscapes.SPACE.palette))
        write_image(here / "few" / "rgb" / f"{number}.png")
        write_label(here / "few" / "seg" / f"{number}.png", [0, 1, 2], THREE)
    assert init("--source", "mine", "--labels", "synthia16") == 0
    entry = loading.load("tour.yaml").stages["source"].config.data.options
    assert entry["colours"]["road"] == [128, 64, 128]
    assert [152, 251, 152] in entry["ignore_colours"]  # terrain, which synthia16 lacks
    (here / "tour.yaml").unlink()
    assert init("--source", "few") == 0
    assert "3 colours: a class for each" in capsys.readouterr().out
    assert "class_2: [250, 0, 9]" in (here / "tour_classes.yaml").read_text()
    assert "source" in planned(capsys)


def test_a_pretrained_encoder_and_a_data_config(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(here / "mine", [0, 1])
    (here / "mine.yaml").write_text(
        f"name: folder\nroot: {here / 'mine'}\nimages: images\nlabels: labels\nclasses: {{0: ground, 1: coin}}\n"
    )
    words = ["init", "tour", "--source", "mine.yaml", "--target", "photos"]
    assert main(words) == 2
    assert "--labels: missing" in capsys.readouterr().err
    assert main([*words, "--labels", "mine.yaml", "--encoder", "resnet18"]) == 0
    assert "resnet18, weights: imagenet" in (here / "tour.yaml").read_text()
    assert "source" in planned(capsys)


def refused(capsys: pytest.CaptureFixture[str], here: Path, *words: str) -> str:
    before = sorted(here.rglob("*"))
    capsys.readouterr()
    assert init(*words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sorted(here.rglob("*")) == before
    return error


def test_what_cannot_be_told_is_refused_and_nothing_is_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(here / "mine", [0, 1])
    assert "no picture there has a label image of the same name" in refused(capsys, here, "--source", "photos")
    assert "--target none: no such folder, and no data" in refused(capsys, here, "--source", "mine", "--target", "none")
    (here / "empty").mkdir()
    assert "holds no picture" in refused(capsys, here, "--source", "mine", "--target", "empty")
    assert "unknown encoder 'mobilnet'" in refused(capsys, here, "--source", "mine", "--encoder", "mobilnet")
    own(here / "one", [7])
    assert "one class; expected two or more" in refused(capsys, here, "--source", "one")
    for number in range(3):
        write_image(here / "many" / "images" / f"{number}.png")
        write_label(here / "many" / "labels" / f"{number}.png", list(range(30 * number, 30 * number + 30)))
    assert "hold 90 numbers, more than 64 classes" in refused(capsys, here, "--source", "many")
    own(here / "street", STREET)
    assert "none of the" in refused(capsys, here, "--source", "street", "--labels", "camvid")
    write_image(here / "mine" / "images" / "0009.jpg")
    assert "problems found: 1, listed above" in refused(capsys, here, "--source", "mine")


def test_nothing_is_written_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own(here / "mine", [0, 1])
    (here / "tour.yaml").write_text("mine")
    assert "is there already, and is not written over" in refused(capsys, here, "--source", "mine")
    assert (here / "tour.yaml").read_text() == "mine"
