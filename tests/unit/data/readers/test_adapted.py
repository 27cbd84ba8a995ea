import json
from collections.abc import Callable
from pathlib import Path

import pytest

from segda.data.readers import adapted
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace, load


@pytest.fixture
def root(tmp_path: Path, camvid: LabelSpace, write_image: Callable, write_label: Callable) -> Path:
    for key in ("b/2", "1"):
        write_image(tmp_path / f"images/{key}.png", 1, 3)
        write_label(tmp_path / f"labels/{key}.png", [[0, 10, 255]])
    index = {"space": "camvid", "classes": list(camvid.classes), "keys": ["b/2", "1"]}
    (tmp_path / "dataset.json").write_text(json.dumps(index))
    return tmp_path


def test_reads_class_indices_as_they_are(root: Path, camvid: LabelSpace) -> None:
    data = adapted.build(root, camvid)
    assert [sample.key for sample in data.samples] == ["1", "b/2"]
    _, label = data.read(0)
    assert label is not None
    assert label.tolist() == [[0, 10, 255]]


def test_files_that_the_index_does_not_name_are_left_out(root: Path, camvid: LabelSpace, write_image: Callable) -> None:
    write_image(root / "images/stray.png", 1, 3)
    assert len(adapted.build(root, camvid)) == 2


def test_no_index_and_no_other_split(root: Path, camvid: LabelSpace) -> None:
    with pytest.raises(ConfigError, match="adapted has no split 'val'"):
        adapted.build(root, camvid, "val")
    (root / "dataset.json").unlink()
    with pytest.raises(DataError, match=r"dataset\.json is missing"):
        adapted.build(root, camvid)


def test_labels_of_whole_images(tmp_path: Path, write_image: Callable) -> None:
    keys, labels = ["b", "a", "c"], [3, 255, 5]
    for key in keys:
        write_image(tmp_path / "images" / f"{key}.png")
    space = load("digits")
    index = {"space": "digits", "classes": list(space.classes), "keys": keys, "labels": labels}
    (tmp_path / "dataset.json").write_text(json.dumps(index))
    data = adapted.build(tmp_path, space)
    decoded = [data.read(number)[1] for number in range(3)]
    assert [(int(label), label.shape) for label in decoded if label is not None] == [(255, ()), (3, ()), (5, ())]
    assert adapted.build(tmp_path, space, with_labels=False).read(0)[1] is None
    (tmp_path / "dataset.json").write_text(json.dumps(index | {"labels": [3, 4]}))
    with pytest.raises(DataError, match="2 labels for 3 keys"):
        adapted.build(tmp_path, space)
