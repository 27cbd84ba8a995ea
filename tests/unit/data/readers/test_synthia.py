from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from segda.data.readers import synthia
from segda.errors import ConfigError
from segda.label_space import load

# SYNTHIA id to Cityscapes train id, as in all published loaders.
TRAIN_IDS = {3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 16: 9, 1: 10, 10: 11, 17: 12, 8: 13, 18: 14,
             19: 15, 20: 16, 12: 17, 11: 18}  # fmt: skip


def write(root: Path, key: str, ids: np.ndarray) -> None:
    path = root / "GT/LABELS" / f"{key}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    instances = np.full_like(ids, 40000)  # what reading the wrong channel, or 8 bits, would give
    assert cv2.imwrite(str(path), np.dstack([np.zeros_like(ids), instances, ids]))


@pytest.fixture
def root(tmp_path: Path, write_image: Callable) -> Path:
    write_image(tmp_path / "RGB/0000000.png", 1, 23)
    write(tmp_path, "0000000", np.arange(23, dtype=np.uint16)[None])
    return tmp_path


def test_the_class_is_the_last_channel_of_16_bits(root: Path) -> None:
    _, label = synthia.build(root, load("cityscapes")).read(0)
    assert label is not None
    assert label.dtype == np.uint8
    assert label[0].tolist() == [TRAIN_IDS.get(native, 255) for native in range(23)]


def test_the_16_class_space_drops_the_three_that_have_no_pixels(root: Path) -> None:
    space = load("synthia16")
    _, label = synthia.build(root, space).read(0)
    assert label is not None
    classes = load("cityscapes").classes
    for native, train_id in TRAIN_IDS.items():
        name = classes[train_id]
        assert label[0, native] == (space.classes.index(name) if name in space.classes else 255)


def test_there_is_only_one_split(root: Path) -> None:
    with pytest.raises(ConfigError, match="synthia has no split 'val'"):
        synthia.build(root, load("synthia16"), "val")
