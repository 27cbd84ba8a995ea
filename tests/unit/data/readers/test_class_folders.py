"""Class folders against the label space."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segda.data.readers import class_folders
from segda.errors import ConfigError, DataError
from segda.label_space import load

SPACE = load("office31")


@pytest.fixture
def office(tmp_path: Path, write_image: Callable[..., np.ndarray]) -> Path:
    for index, name in enumerate(SPACE.classes):
        write_image(tmp_path / name / "frame_0001.png", seed=index)
    return tmp_path


def test_the_folder_is_the_class(office: Path) -> None:
    data = class_folders.build(office, SPACE)
    assert len(data) == 31
    for index, sample in enumerate(data.samples):
        label = data.read(index)[1]
        assert label is not None
        assert label.shape == ()
        assert SPACE.classes[int(label)] == sample.key.split("/")[0]
    assert class_folders.build(office, SPACE, with_labels=False).read(3)[1] is None


def test_folders_that_differ_from_the_label_space(office: Path, write_image: Callable[..., np.ndarray]) -> None:
    (office / "mug").rename(office / "cup")
    with pytest.raises(DataError, match=r"cup.*mug|mug.*cup") as raised:
        class_folders.build(office, SPACE)
    assert "\n" not in str(raised.value)
    loose = class_folders.build(office, SPACE, strict=False)
    assert len(loose) == 30
    assert {problem.file.name for problem in loose.problems} == {"cup", "mug"}


def test_the_published_folder_of_images(office: Path, tmp_path: Path) -> None:
    root = tmp_path / "published"
    root.mkdir()
    (root / "images").mkdir()
    for name in SPACE.classes:
        (office / name).rename(root / "images" / name)
    assert class_folders.build(root, SPACE).samples[0].key == "back_pack/frame_0001"


def test_one_class_alone(office: Path) -> None:
    with pytest.raises(DataError, match="class 'mug'"):
        class_folders.build(office, SPACE, exclude=tuple(f"{name}/*" for name in SPACE.classes if name != "mug"))


def test_a_list_with_class_numbers_gives_splits(office: Path) -> None:
    lines = [f"{office.name}/{name}/frame_0001.png {number}" for number, name in enumerate(SPACE.classes)]
    (office / "office_val.txt").write_text("\n".join(lines[:2]))
    data = class_folders.build(office, SPACE, "val", list="office_{split}.txt")
    assert [sample.key.split("/")[0] for sample in data.samples] == sorted(SPACE.classes)[:2]
    with pytest.raises(ConfigError, match=r"class_folders has no split 'val'.*`folder: '\{split\}'`"):
        class_folders.build(office, SPACE, "val")
