from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from segda.data.readers import gta5
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace, load


@pytest.fixture
def root(tmp_path: Path, write_image: Callable, write_label: Callable) -> Path:
    for number, key in enumerate(["00002", "00001", "15188"]):
        write_image(tmp_path / f"images/{key}.png", 2, 4, seed=number)
        write_label(tmp_path / f"labels/{key}.png", [[7, 8, 26, 23], [34, 9, 33, 0]], palette=True)
    return tmp_path


def test_the_palette_index_survives_and_is_mapped_by_name(root: Path, cityscapes: LabelSpace) -> None:
    data = gta5.build(root, cityscapes)
    assert [sample.key for sample in data.samples] == ["00001", "00002"], "sorted, without the documented bad file"
    image, label = data.read(1)
    assert image.shape == (2, 4, 3)
    assert image.dtype == np.uint8
    assert label is not None
    assert label.tolist() == [[0, 1, 13, 10], [255, 255, 18, 255]]


def test_classes_that_the_space_lacks_are_ignored(root: Path) -> None:
    _, label = gta5.build(root, load("synthia13")).read(0)
    assert label is not None
    assert label.tolist() == [[0, 1, 9, 6], [255, 255, 12, 255]]


def test_known_bad_files_can_be_kept(root: Path, cityscapes: LabelSpace) -> None:
    assert len(gta5.build(root, cityscapes, skip_known_bad=False)) == 3


def test_labels_of_the_known_odd_frames_take_their_images_size(
    root: Path, cityscapes: LabelSpace, write_image: Callable, write_label: Callable
) -> None:
    for key in ("20801", "20861"):
        write_image(root / f"images/{key}.png", 4, 8)
        write_label(root / f"labels/{key}.png", [[7, 8, 26, 23], [11, 12, 13, 17]], palette=True)
    data = gta5.build(root, cityscapes)
    _, label = data.read(2)
    assert label is not None
    assert label.tolist() == np.kron([[0, 1, 13, 10], [2, 3, 4, 5]], np.ones((2, 2))).tolist()
    with pytest.raises(DataError, match=r"20861\.png: label is 2x4 .* is 4x8"):
        data.read(3)


def test_split_file_restricts_to_its_lists(root: Path, cityscapes: LabelSpace) -> None:
    savemat(root / "split.mat", {"trainIds": [[1]], "valIds": [[2]], "testIds": [[9]]})
    keys = {
        split: [sample.key for sample in gta5.build(root, cityscapes, split, split_file="split.mat").samples]
        for split in ("train", "val")
    }
    assert keys == {"train": ["00001"], "val": ["00002"]}
    with pytest.raises(DataError, match="no images"):
        gta5.build(root, cityscapes, "test", split_file="split.mat")


def test_val_needs_a_split_file(root: Path, cityscapes: LabelSpace) -> None:
    with pytest.raises(ConfigError, match="gta5 has no split 'val'"):
        gta5.build(root, cityscapes, "val")


def test_labels_of_other_trainers_and_jpeg_frames(
    root: Path, cityscapes: LabelSpace, write_image: Callable, write_label: Callable
) -> None:
    write_label(root / "labels/00001_labelTrainIds.png", [[0] * 4] * 2)
    write_image(root / "images/20801.jpg", 4, 8)
    write_label(root / "labels/20801.png", [[7, 8, 26, 23], [11, 12, 13, 17]], palette=True)
    data = gta5.build(root, cityscapes)
    assert [sample.key for sample in data.samples] == ["00001", "00002", "20801"]
    _, label = data.read(2)
    assert label is not None
    assert label.shape == (4, 8)


def test_a_text_file_is_a_list_not_a_split_file(root: Path, cityscapes: LabelSpace) -> None:
    (root / "val.txt").write_text("00002.png\n")
    assert [each.key for each in gta5.build(root, cityscapes, "val", list="{split}.txt").samples] == ["00002"]
    with pytest.raises(DataError, match="use `list` for a text file"):
        gta5.build(root, cityscapes, split_file="val.txt")
