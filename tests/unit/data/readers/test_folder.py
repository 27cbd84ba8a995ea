from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segda.data.readers import folder
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace, own

IDS = {"classes": {1: "sky", 2: "road", 3: "road"}, "ignore": (0,)}


@pytest.fixture
def root(tmp_path: Path, write_image: Callable, write_label: Callable) -> Path:
    write_image(tmp_path / "photos/a/one_rgb.JPG", 1, 4)
    write_label(tmp_path / "masks/a/one_mask.png", [[0, 1, 2, 3]])
    return tmp_path


WHERE = {"images": "photos", "labels": "masks", "image_endings": ("_rgb.jpg",), "label_endings": ("_mask.png",)}


def test_described_by_options_alone(root: Path, camvid: LabelSpace) -> None:
    data = folder.build(root, camvid, **WHERE, **IDS)
    assert data.samples[0].key == "a/one"
    _, label = data.read(0)
    assert label is not None
    assert label.tolist() == [[255, 0, 3, 3]]


def test_split_is_put_into_the_folders(root: Path, camvid: LabelSpace) -> None:
    (root / "photos").rename(root / "val")
    data = folder.build(root, camvid, "val", **{**WHERE, "images": "{split}"}, **IDS)
    assert len(data) == 1


def test_colours_instead_of_ids(root: Path, camvid: LabelSpace) -> None:
    coloured = Image.new("RGB", (4, 1))
    for column, colour in enumerate([(255, 0, 0), (0, 0, 255), (9, 9, 9), (255, 0, 0)]):
        coloured.putpixel((column, 0), colour)
    coloured.save(root / "masks/a/one_mask.png")
    colours = {"car": (255, 0, 0), "sky": (0, 0, 255)}
    _, label = folder.build(root, camvid, **WHERE, colours=colours, ignore_colours=((9, 9, 9),)).read(0)
    assert label is not None
    assert label.tolist() == [[8, 0, 255, 8]]
    with pytest.raises(DataError, match=r"one_mask\.png: 1 colours outside the map, most often \(9, 9, 9\) \(1 pixels"):
        folder.build(root, camvid, **WHERE, colours=colours).read(0)


def test_an_id_in_neither_list_is_an_error(root: Path, camvid: LabelSpace) -> None:
    with pytest.raises(DataError, match=r"id 0 \(1 pixels\) outside the id map, which names 1\.\.3"):
        folder.build(root, camvid, **WHERE, classes=IDS["classes"]).read(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": {1: "raod"}}, "'raod' is no class of label space 'camvid' .* did you mean 'road'"),
        ({"colours": {"sea": (0, 0, 0)}}, "colours: 'sea' is no class"),
        ({}, "neither is given"),
        ({"classes": {1: "sky"}, "colours": {"sky": (0, 0, 0)}}, "both are given"),
        ({"classes": {1: "sky"}, "ignore_colours": ((0, 0, 0),)}, "both are given"),
        ({"classes": {65536: "sky"}}, "id 65536 does not fit"),
        ({"classes": {"1..3": "sky", 2: "road"}}, "id 2 is in 'sky' and 'road'"),
        ({"classes": {1: "sky"}, "ignore": (1,)}, "id 1 is in `classes` and `ignore`"),
        ({"colours": {"sky": (0, 0, 0), "car": (0, 0, 0)}}, "a colour occurs twice"),
    ],
)
def test_a_wrong_description_is_refused(root: Path, camvid: LabelSpace, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        folder.build(root, camvid, **WHERE, **options)


def test_without_labels_no_ids_are_needed(root: Path, camvid: LabelSpace) -> None:
    assert folder.build(root, camvid, with_labels=False, **WHERE).samples[0].label is None


def test_ranges_of_ids_and_lists_of_names(root: Path, camvid: LabelSpace) -> None:
    _, label = folder.build(root, camvid, **WHERE, classes={"1..2": "sky", "3": "road"}, ignore="0-0").read(0)
    assert label is not None
    assert label.tolist() == [[255, 0, 0, 3]]
    _, label = folder.build(root, camvid, **WHERE, classes=["road", "sky", "car", "sky"]).read(0)
    assert label is not None
    assert label.tolist() == [[3, 0, 8, 0]]


def test_ids_of_16_bits(root: Path, camvid: LabelSpace) -> None:
    Image.fromarray(np.array([[0, 300, 301, 65535]], np.uint16)).save(root / "masks/a/one_mask.png")
    classes = {0: "sky", "300..301": "road"}
    assert folder.build(root, camvid, **WHERE, classes=classes, ignore=65535).read(0)[1].tolist() == [[0, 3, 3, 255]]
    with pytest.raises(DataError, match=r"id 65535 \(1 pixels\) outside the id map, which names 0, 300\.\.301"):
        folder.build(root, camvid, **WHERE, classes=classes).read(0)


def test_an_entry_without_classes_takes_the_ids_of_a_label_space_of_ones_own(root: Path) -> None:
    space = own("mine", {"1..2": "water", 3: "land"})
    with pytest.raises(DataError, match=r"id 0 \(1 pixels\) outside the id map, which names 1\.\.3"):
        folder.build(root, space, **WHERE).read(0)
    _, label = folder.build(root, space, **WHERE, ignore=0).read(0)
    assert label is not None
    assert label.tolist() == [[255, 0, 0, 1]]
    _, label = folder.build(root, space, **WHERE, classes={0: "land", "1..3": "water"}).read(0)
    assert label is not None
    assert label.tolist() == [[1, 0, 0, 0]], "the entry's own come first"


def test_an_entry_without_colours_takes_those_of_a_label_space_of_ones_own(root: Path) -> None:
    coloured = Image.new("RGB", (4, 1))
    for column, colour in enumerate([(0, 0, 255), (0, 90, 0), (0, 255, 0), (9, 9, 9)]):
        coloured.putpixel((column, 0), colour)
    coloured.save(root / "masks/a/one_mask.png")
    colours = {"sea": (0, 0, 255), "land": [(0, 255, 0), (0, 90, 0)]}
    space = own("mine", colours=colours, ignore_colours=[(9, 9, 9)])
    _, label = folder.build(root, space, **WHERE).read(0)
    assert label is not None
    assert label.tolist() == [[0, 1, 1, 255]]
    with pytest.raises(ConfigError, match="both are given"):
        folder.build(root, space, **WHERE, ignore=(9,))
