from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from segda.data.check import check
from segda.data.readers import carla
from segda.errors import ConfigError
from segda.label_space import LabelSpace, load


@pytest.fixture
def root(tmp_path: Path, write_image: Callable) -> Path:
    write_image(tmp_path / "CameraRGB/000_0021.jpg", 10, 13)
    ids = np.broadcast_to(np.arange(13, dtype=np.uint8), (10, 13))
    (tmp_path / "CameraSeg").mkdir()
    red_last = np.dstack([np.full_like(ids, 99), np.full_like(ids, 77), ids])  # blue, green, red
    assert cv2.imwrite(str(tmp_path / "CameraSeg/000_0021.png"), red_last)
    return tmp_path


def test_red_channel_in_camvids_words(root: Path, camvid: LabelSpace) -> None:
    _, label = carla.build(root, camvid).read(0)
    assert label is not None
    named = [camvid.classes[index] if index < 255 else None for index in label[0]]
    assert named == [
        "sky", "building", "fence", None, "pedestrian", "pole", "road", "road", "pavement", "tree", "car", "building",
        "sign",
    ]  # fmt: skip


def test_walls_are_walls_in_cityscapes_and_nothing_in_synthia13(root: Path, cityscapes: LabelSpace) -> None:
    _, label = carla.build(root, cityscapes).read(0)
    assert label is not None
    assert cityscapes.classes[label[0, 11]] == "wall"
    _, label = carla.build(root, load("synthia13")).read(0)
    assert label is not None
    assert label[0, 11] == 255


@pytest.mark.parametrize(("ego_row", "first"), [(0.83, 9), (0.8, 8), (1.0, 10)])
def test_rows_of_the_bonnet_are_ignored(root: Path, camvid: LabelSpace, ego_row: float, first: int) -> None:
    _, label = carla.build(root, camvid, ego_row=ego_row).read(0)
    assert label is not None
    assert (label[first:] == 255).all()
    assert (label[:first, 0] == 0).all()


def test_bad_options_are_refused(root: Path, camvid: LabelSpace) -> None:
    with pytest.raises(ConfigError, match=r"ego_row: 83"):
        carla.build(root, camvid, ego_row=83)
    with pytest.raises(ConfigError, match="carla has no split 'val'"):
        carla.build(root, camvid, "val")


@pytest.mark.data
def test_the_real_set_is_sound(real_data: Path, camvid: LabelSpace) -> None:
    report = check(carla.build(real_data / "driving/carla", camvid, strict=False))
    assert report.pairs == 529
    assert report.sizes == {(360, 480): 529}
    assert [name for name, count in report.pixels.items() if not count] == ["bicyclist"]
    assert not report.problems
    total = sum(report.pixels.values())
    assert 0.3 < report.pixels["sky"] / total < 0.45
    assert report.pixels["car"] / total < 0.05, "the bonnet is ignored"
