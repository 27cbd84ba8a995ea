import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from segda.data.archive import eight_bits, first_file, open_archive, part
from segda.data.dataset import Dataset
from segda.errors import DataError
from segda.label_space import load

READ: list[str] = []


@dataclass(frozen=True)
class Saved:
    """Reads a `.npy` file and records the call."""

    def __call__(self, file: Path) -> np.ndarray:
        READ.append(file.name)
        return np.load(file)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    np.save(tmp_path / "images.npy", np.arange(5 * 6, dtype=np.uint8).reshape(5, 2, 3))
    np.save(tmp_path / "labels.npy", np.arange(5))
    READ.clear()
    return tmp_path


def build(root: Path, labels: bool = True) -> Dataset:
    classes: dict[int, str | None] = {digit: str(digit) for digit in range(10)}
    images, ids = (part(root, [name], Saved()) for name in ("images.npy", "labels.npy"))
    return open_archive("saved", root, load("digits"), classes, images, ids if labels else None)


def test_a_sample_is_called_archive_and_number(root: Path) -> None:
    data = build(root)
    assert data.samples[3] == ("00003", root / "images.npy" / "00003", root / "labels.npy" / "00003")
    image, label = data.read(3)
    assert label is not None
    assert (label.shape, label.dtype, int(label)) == ((), np.uint8, 3)
    assert image.shape == (2, 3, 3)
    assert image[:, :, 0].tolist() == image[:, :, 2].tolist() == [[18, 19, 20], [21, 22, 23]]


def test_an_archive_is_read_once_whoever_opens_it(root: Path) -> None:
    first, second = build(root), build(root)
    for data in (first, second):
        for index in range(5):
            data.read(index)
    assert sorted(READ) == ["images.npy", "labels.npy"]


def test_without_labels_their_file_is_not_read(root: Path) -> None:
    data = build(root, labels=False)
    assert data.read(0)[1] is None
    assert READ == ["images.npy"]
    with pytest.raises(DataError, match="labels"):
        data.decode_label(root / "labels.npy" / "00000")


def test_names_are_pickled_not_pixels(root: Path) -> None:
    np.save(root / "images.npy", np.zeros((5, 200, 200), dtype=np.uint8))
    sent = pickle.dumps(build(root))
    assert len(sent) < 5000
    assert pickle.loads(sent).read(4)[1] == 4


def test_numbers_that_disagree(root: Path) -> None:
    np.save(root / "labels.npy", np.arange(4))
    with pytest.raises(DataError, match=r"labels\.npy: 4 labels, but images\.npy holds 5 images"):
        build(root)


def test_the_first_name_that_is_there(root: Path) -> None:
    assert first_file(root, ["absent", "labels.npy", "images.npy"]).name == "labels.npy"
    with pytest.raises(DataError, match="absent or gone is missing below"):
        first_file(root, ["absent", "gone"])


def test_eight_bits_keep_the_ends_and_every_level() -> None:
    file = Path("file")
    levels = np.arange(256) / 255
    assert eight_bits(file, levels, 0, 1).tolist() == list(range(256))
    assert eight_bits(file, 2 * levels - 1, -1, 1).tolist() == list(range(256))
    # Some releases of USPS have half grey levels; rounding to even would merge neighbours and brighten the background.
    halves = np.round((2 * np.arange(255) + 1) / 255 - 1, 6)
    assert eight_bits(file, halves, -1, 1).tolist() == list(range(255))


@pytest.mark.parametrize("wrong", [-1.1, 1.1, float("nan")])
def test_values_out_of_range(wrong: float) -> None:
    with pytest.raises(DataError, match="file: values from .* expected -1 to 1"):
        eight_bits(Path("file"), np.array([0.0, wrong]), -1, 1)
