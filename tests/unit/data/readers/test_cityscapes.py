from collections.abc import Callable
from pathlib import Path

import pytest

from segda.data.readers import cityscapes as reader
from segda.errors import DataError
from segda.label_space import LabelSpace


@pytest.fixture
def root(tmp_path: Path, write_image: Callable, write_label: Callable) -> Path:
    for city, frame in (("ulm", "000001"), ("aachen", "000000")):
        name = f"{city}_{frame}_000019"
        write_image(tmp_path / f"leftImg8bit/train/{city}/{name}_leftImg8bit.png", 1, 4)
        folder = tmp_path / f"gtFine/train/{city}"
        write_label(folder / f"{name}_gtFine_labelIds.png", [[7, 24, 33, 3]])
        for other in ("instanceIds.png", "color.png"):
            write_label(folder / f"{name}_gtFine_{other}", [[0, 0, 0, 0]])
        (folder / f"{name}_gtFine_polygons.json").write_text("{}")
        (folder / f"._{name}_gtFine_labelIds.png").write_text("what macOS leaves in archives")
    return tmp_path


def test_pairs_across_cities(root: Path, cityscapes: LabelSpace) -> None:
    data = reader.build(root, cityscapes)
    assert [sample.key for sample in data.samples] == ["aachen/aachen_000000_000019", "ulm/ulm_000001_000019"]
    _, label = data.read(1)
    assert label is not None
    assert label.tolist() == [[0, 11, 18, 255]]


def test_the_other_spaces_words_are_understood(root: Path, camvid: LabelSpace) -> None:
    _, label = reader.build(root, camvid).read(0)
    assert label is not None
    named = [camvid.classes[index] if index < 255 else None for index in label[0]]
    assert named == ["road", "pedestrian", None, None]


def test_cities_may_be_links(root: Path, cityscapes: LabelSpace, tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk2"
    (root / "leftImg8bit/train/ulm").rename(elsewhere)
    (root / "leftImg8bit/train/ulm").symlink_to(elsewhere, target_is_directory=True)
    assert len(reader.build(root, cityscapes)) == 2


def test_coarse_labels_are_another_folder(root: Path, cityscapes: LabelSpace) -> None:
    with pytest.raises(DataError, match="'gtCoarse/train' is missing"):
        reader.build(root, cityscapes, annotation="gtCoarse")


@pytest.fixture
def foggy(root: Path, write_image: Callable) -> Path:
    """Three levels of fog of each photograph."""
    for city, frame in (("ulm", "000001"), ("aachen", "000000")):
        for level in ("0.005", "0.01", "0.02"):
            name = f"{city}_{frame}_000019_leftImg8bit_foggy_beta_{level}.png"
            write_image(root / "leftImg8bit_foggy/train" / city / name, 1, 4)
    return root


def test_one_level_of_fog(foggy: Path, cityscapes: LabelSpace) -> None:
    ending = ("_leftImg8bit_foggy_beta_0.02.png",)
    data = reader.build(foggy, cityscapes, images="leftImg8bit_foggy", image_endings=ending)
    assert [sample.key for sample in data.samples] == ["aachen/aachen_000000_000019", "ulm/ulm_000001_000019"]
    assert {sample.image.name[-8:] for sample in data.samples} == {"0.02.png"}


def test_all_levels_of_fog_have_the_label_of_their_photograph(foggy: Path, cityscapes: LabelSpace) -> None:
    options = {"images": "leftImg8bit_foggy", "image_endings": (".png",), "several_images": True}
    data = reader.build(foggy, cityscapes, **options)
    assert len(data) == 6
    assert {sample.key.split("_left")[0]: sample.label for sample in data.samples} == {
        f"{city}/{city}_{frame}_000019": foggy / f"gtFine/train/{city}/{city}_{frame}_000019_gtFine_labelIds.png"
        for city, frame in (("ulm", "000001"), ("aachen", "000000"))
    }
    assert len(reader.build(foggy, cityscapes, exclude=("*beta_0.005",), **options)) == 4
    assert len(reader.build(foggy, cityscapes, with_labels=False, **options)) == 6


def test_jpeg_beside_png_is_found(root: Path, cityscapes: LabelSpace, write_image: Callable) -> None:
    write_image(root / "leftImg8bit/train/ulm/ulm_000002_000019_leftImg8bit.jpg", 1, 4)
    assert len(reader.build(root, cityscapes, with_labels=False)) == 3
