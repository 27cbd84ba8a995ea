"""The tables of all label spaces, against the official ones and against one another."""

import numpy as np
import pytest
from PIL import Image

from segda.errors import ConfigError
from segda.label_space import load
from segda.label_spaces import cityscapes
from segda.label_spaces.camvid import SPACE as CAMVID

official = pytest.importorskip("cityscapesscripts.helpers.labels", reason="cityscapesscripts is not installed").labels


def test_cityscapes_agrees_with_the_official_scripts() -> None:
    evaluated = sorted((label for label in official if 0 <= label.trainId < 255), key=lambda label: label.trainId)
    assert cityscapes.SPACE.classes == tuple(label.name for label in evaluated)
    assert cityscapes.SPACE.palette == tuple(label.color for label in evaluated)


def test_raw_ids_agree_with_the_official_scripts() -> None:
    names = {label.id: label.name for label in official if label.id >= 0}
    assert {native: cityscapes.IDS[native] for native in names} == names
    table = cityscapes.SPACE.table(cityscapes.IDS)
    for label in official:
        assert table[label.id % 256] == label.trainId % 256, label.name


def test_to_ids_inverts_the_table() -> None:
    indices = np.array([[*range(19), 255]], dtype=np.uint8)
    ids = cityscapes.to_ids(indices)
    assert ids[0, [0, 18, 19]].tolist() == [7, 33, 0]
    assert cityscapes.SPACE.table(cityscapes.IDS)[ids].tolist() == indices.tolist()


def test_other_spaces_go_back_to_raw_ids_by_name() -> None:
    space = load("synthia13")
    ids = cityscapes.to_ids(np.arange(13), space)
    assert [cityscapes.IDS[int(each)] for each in ids] == list(space.classes)
    with pytest.raises(ConfigError, match="'camvid': class 'pavement' has no id"):
        cityscapes.to_ids(np.zeros(1, int), CAMVID)


def test_id_palette_gives_official_colours_to_pil() -> None:
    image = Image.fromarray(np.array([[7, 26, 23, 200]], dtype=np.uint8), mode="P")
    image.putpalette(cityscapes.id_palette())
    assert np.asarray(image.convert("RGB")).tolist() == [[[128, 64, 128], [0, 0, 142], [70, 130, 180], [0, 0, 0]]]


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("synthia16", {"terrain", "truck", "train"}),
        ("synthia13", {"terrain", "truck", "train", "wall", "fence", "pole"}),
    ],
)
def test_synthia_spaces_are_cityscapes_without_some_classes(name: str, left_out: set[str]) -> None:
    space, whole = load(name), cityscapes.SPACE
    kept = [index for index, each in enumerate(whole.classes) if each not in left_out]
    assert space.count == 19 - len(left_out) == int(name[-2:])
    assert space.classes == tuple(whole.classes[index] for index in kept)
    assert space.palette == tuple(whole.palette[index] for index in kept)


def test_camvid_has_segnets_classes_and_colours() -> None:
    assert CAMVID.classes[:3] == ("sky", "building", "pole")
    assert CAMVID.classes[-1] == "bicyclist"
    assert CAMVID.palette[CAMVID.classes.index("pavement")] == (60, 40, 222)
    assert len(set(CAMVID.palette)) == CAMVID.count == 11


def test_subspaces_of_cityscapes_are_synthias_classes() -> None:
    subsets = cityscapes.SPACE.subsets()
    assert {name: len(classes) for name, classes in subsets.items()} == {"synthia16": 16, "synthia13": 13}
    assert set(cityscapes.SPACE.classes) - set(subsets["synthia16"]) == {"terrain", "truck", "train"}
    assert set(subsets["synthia16"]) - set(subsets["synthia13"]) == {"wall", "fence", "pole"}
    assert list(load("synthia16").subsets()) == ["synthia13"]
    assert CAMVID.subsets() == {"camvid10": CAMVID.classes[:-1]}
