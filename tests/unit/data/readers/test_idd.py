from collections.abc import Callable
from pathlib import Path

import pytest

from segda.data.readers import idd
from segda.errors import DataError
from segda.label_space import LabelSpace


@pytest.fixture
def root(tmp_path: Path, write_image: Callable) -> Path:
    """The published set: frames in PNG and JPEG, and polygons."""
    for sequence, kind in (("000", "png"), ("001", "jpg")):
        write_image(tmp_path / f"leftImg8bit/train/{sequence}/frame1_leftImg8bit.{kind}", 1, 28)
        polygons = tmp_path / f"gtFine/train/{sequence}/frame1_gtFine_polygons.json"
        polygons.parent.mkdir(parents=True)
        polygons.write_text('{"objects": []}')
    return tmp_path


def test_frames_of_both_kinds_are_found(root: Path, cityscapes: LabelSpace) -> None:
    assert [each.key for each in idd.build(root, cityscapes, with_labels=False).samples] == ["000/frame1", "001/frame1"]


def test_polygons_alone_are_refused_by_name(root: Path, cityscapes: LabelSpace) -> None:
    with pytest.raises(DataError, match=r"gtFine/train: polygons or other text in 2 files, such as frame1_gtFine_poly"):
        idd.build(root, cityscapes)


def test_the_third_level_in_cityscapes_classes(root: Path, cityscapes: LabelSpace, write_label: Callable) -> None:
    for sequence in ("000", "001"):
        label = root / f"gtFine/train/{sequence}/frame1_gtFine_labellevel3Ids.png"
        write_label(label, [[*range(26), 255, 255]])
        write_label(label.with_name("frame1_gtFine_labelCsTrainIds.png"), [[0] * 28])
    _, label = idd.build(root, cityscapes).read(0)
    assert label is not None
    names = [cityscapes.classes[index] if index < 255 else "" for index in label[0]]
    assert names == [
        "road", "", "sidewalk", "", "person", "rider", "motorcycle", "bicycle", "", "car", "truck", "bus", "", "",
        "wall", "fence", "", "", "traffic sign", "traffic light", "pole", "", "building", "", "vegetation",
        "sky", "", "",
    ]  # fmt: skip
