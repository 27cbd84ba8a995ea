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
