"""Files for the data tests, all written to `tmp_path`."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segda.data.dataset import Dataset
from segda.data.decode import read_index, read_rgb
from segda.data.find import find_files
from segda.data.index import pair
from segda.data.label_decoder import LabelDecoder
from segda.label_space import LabelSpace, load
from segda.label_spaces.cityscapes import id_palette


@pytest.fixture
def cityscapes() -> LabelSpace:
    return load("cityscapes")


@pytest.fixture
def camvid() -> LabelSpace:
    return load("camvid")


@pytest.fixture
def write_image() -> Callable[..., np.ndarray]:
    """Write a random image and return its RGB pixels."""

    def write(path: Path, height: int = 6, width: int = 8, seed: int = 0) -> np.ndarray:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        assert cv2.imwrite(str(path), pixels[:, :, ::-1])
        return pixels

    return write


@pytest.fixture
def write_label() -> Callable[..., None]:
    """Write ids as an index PNG, with the Cityscapes palette when `palette` is set."""

    def write(path: Path, ids: object, palette: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.asarray(ids, dtype=np.uint8))
        if palette:
            image.putpalette(id_palette())
        image.save(path)

    return write


@pytest.fixture
def make_dataset(
    tmp_path: Path, write_image: Callable[..., np.ndarray], write_label: Callable[..., None], cityscapes: LabelSpace
) -> Callable[..., Dataset]:
    """A data set of `n` tiny pairs whose labels are class indices, as a reader would open it."""

    def make(name: str = "tiny", n: int = 5, height: int = 6, width: int = 8, labels: bool = True) -> Dataset:
        root = tmp_path / name
        for number in range(n):
            write_image(root / "images" / f"{number:02d}.png", height, width, seed=number)
            ids = np.random.default_rng(number).integers(0, 19, (height, width))
            write_label(root / "labels" / f"{number:02d}.png", ids)
        label_files = find_files(root, "labels", [".png"]) if labels else None
        samples, _ = pair(root, find_files(root, "images", [".png"]), label_files)
        classes: dict[int, str | None] = {**dict(enumerate(cityscapes.classes)), 255: None}
        decoder = LabelDecoder(cityscapes, classes, read_index)
        return Dataset(name, root, cityscapes, samples, read_rgb, decoder)

    return make


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets."""
    root = os.environ.get("SEGDA_DATA")
    if not root or not (Path(root) / "driving").is_dir():
        pytest.skip("SEGDA_DATA names no folder with the real data sets (driving/carla, driving/camvid)")
    return Path(root)
