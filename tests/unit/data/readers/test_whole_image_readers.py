"""All readers of image classification sets, and how each handles broken files."""

import bz2
import gzip
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import h5py
import numpy as np
import pytest
from scipy.io import savemat

from segda.config.lookup import module
from segda.data.check import check, render
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.errors import ConfigError, DataError
from segda.label_space import load

LABELS = np.array([7, 0, 9, 3, 3, 1])
GREY = np.random.default_rng(0).integers(0, 256, (6, 16, 16), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
POINTS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(root: Path, labels: np.ndarray) -> None:
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(GREY)))
    (root / "train-labels-idx1-ubyte").write_bytes(idx(labels.astype(np.uint8)))


def write_usps(root: Path, labels: np.ndarray) -> None:
    lines = [
        f"{label + 1} " + " ".join(f"{column}:{2 * value / 255 - 1:.6f}" for column, value in enumerate(row, 1))
        for label, row in zip(labels, GREY.reshape(len(GREY), -1).tolist(), strict=True)
    ]
    (root / "usps.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))


def write_usps_hdf5(root: Path, labels: np.ndarray) -> None:
    with h5py.File(root / "usps.h5", "w") as file:
        file["train/data"] = (GREY.reshape(len(GREY), -1) / 255).astype(np.float32)
        file["train/target"] = labels


def write_svhn(root: Path, labels: np.ndarray) -> None:
    native = np.where(labels == 0, 10, labels)[:, None]
    savemat(root / "train_32x32.mat", {"X": COLOUR.transpose(1, 2, 3, 0), "y": native}, do_compression=True)


def write_arrays(root: Path, labels: np.ndarray) -> None:
    np.savez(root / "train.npz", images=COLOUR, labels=labels)


def write_points(root: Path, labels: np.ndarray) -> None:
    np.savez(root / "train.npz", points=POINTS, labels=labels)


def write_mnist_m(root: Path, labels: np.ndarray) -> None:
    (root / "mnist_m_train").mkdir()
    for number, picture in enumerate(COLOUR):
        assert cv2.imwrite(str(root / "mnist_m_train" / f"{number:05d}.png"), picture[:, :, ::-1])
    # Not in alphabetical order.
    lines = [f"{number:05d}.png {label}" for number, label in enumerate(labels)]
    (root / "mnist_m_train_labels.txt").write_text("\n".join(reversed(lines)))


class Layout(NamedTuple):
    reader: str
    write: Callable[[Path, np.ndarray], None]
    images: np.ndarray
    file: str
    labels: str = "train-labels-idx1-ubyte"


def three(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=-1)


PIXELS = np.concatenate([POINTS, np.zeros((6, 1), np.float32)], axis=1)[:, None, None]
LAYOUTS = {
    "mnist": Layout("mnist", write_mnist, three(GREY), "train-images-idx3-ubyte.gz"),
    "usps": Layout("usps", write_usps, three(GREY), "usps.bz2", "usps.bz2"),
    "usps_hdf5": Layout("usps", write_usps_hdf5, three(GREY), "usps.h5", "usps.h5"),
    "svhn": Layout("svhn", write_svhn, COLOUR, "train_32x32.mat", "train_32x32.mat"),
    "arrays": Layout("arrays", write_arrays, COLOUR, "train.npz", "train.npz"),
    "points": Layout("points", write_points, PIXELS, "train.npz", "train.npz"),
    "mnist_m": Layout("mnist_m", write_mnist_m, COLOUR, "", "mnist_m_train_labels.txt"),
}


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    layout = LAYOUTS[request.param]
    layout.write(tmp_path, LABELS)
    return layout


def build(layout: Layout, root: Path, **options: Any) -> Dataset:
    data: Dataset = module("segda.data.readers", layout.reader).build(root, load("digits"), **options)
    return data


def test_images_and_labels_are_those_that_were_written(layout: Layout, tmp_path: Path) -> None:
    data = pickle.loads(pickle.dumps(build(layout, tmp_path)))
    assert [sample.key for sample in data.samples] == [f"{number:05d}" for number in range(6)]
    for number, label in enumerate(LABELS):
        image, decoded = data.read(number)
        assert np.array_equal(image, layout.images[number])
        assert image.dtype == layout.images.dtype
        assert decoded is not None
        assert (decoded.shape, decoded.dtype, int(decoded)) == ((), np.uint8, label)


def test_without_labels_none_are_given(layout: Layout, tmp_path: Path) -> None:
    if layout.labels != layout.file:
        (tmp_path / layout.labels).unlink()
    data = build(layout, tmp_path, with_labels=False)
    assert data.read(2)[1] is None
    assert len(data) == 6


def test_subset_limit_and_exclude(layout: Layout, tmp_path: Path) -> None:
    def keys(**options: Any) -> list[str]:
        return [sample.key for sample in build(layout, tmp_path, allow_single_class=True, **options).samples]

    drawn = [keys(subset=3, subset_seed=seed) for seed in range(8)]
    assert all(len(each) == 3 and each == sorted(each) for each in drawn)
    assert len({tuple(each) for each in drawn}) > 2
    assert keys(subset=3, subset_seed=2) == drawn[2]
    assert keys(limit=2) == ["00000", "00001"]
    assert keys(exclude=("*1", "00004")) == ["00000", "00002", "00003", "00005"]
    picked = build(layout, tmp_path, subset=3, allow_single_class=True)
    for index, sample in enumerate(picked.samples):
        assert int(np.asarray(picked.read(index)[1])) == LABELS[int(sample.key)]
    with pytest.raises(ConfigError, match="subset: 7"):
        keys(subset=7)


def test_a_label_that_is_no_digit(layout: Layout, tmp_path: Path) -> None:
    wrong = LABELS.copy()
    wrong[4] = 77
    (root := tmp_path / "wrong").mkdir()
    layout.write(root, wrong)
    with pytest.raises(DataError, match=r"7[78]") as raised:
        build(layout, root)
    assert layout.labels in str(raised.value)
    report = check(build(layout, root, strict=False))
    assert [problem.kind for problem in report.problems] == ["id outside the map"]


def test_one_class_alone(layout: Layout, tmp_path: Path) -> None:
    (root := tmp_path / "single").mkdir()
    layout.write(root, np.full(6, 3))
    with pytest.raises(DataError, match="class '3'"):
        build(layout, root)
    assert len(build(layout, root, allow_single_class=True)) == 6


def test_a_label_space_of_other_classes(tmp_path: Path) -> None:
    write_mnist(tmp_path, LABELS)
    with pytest.raises(ConfigError, match="office31"):
        module("segda.data.readers", "mnist").build(tmp_path, load("office31"))


def test_check_counts_images(layout: Layout, tmp_path: Path) -> None:
    report = check(build(layout, tmp_path))
    assert (report.unit, report.pixels["3"], report.pixels["2"], report.problems) == ("images", 2, 0, ())
    assert "images" in render(report)


def test_the_fingerprint_knows_the_content(layout: Layout, tmp_path: Path) -> None:
    before = fingerprint(build(layout, tmp_path))
    assert fingerprint(build(layout, tmp_path)) == before
    assert fingerprint(build(layout, tmp_path, limit=4)) != before
    (root := tmp_path / "other").mkdir()
    layout.write(root, np.where(LABELS == 7, 8, LABELS))
    assert fingerprint(build(layout, root)) != before


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    layout = LAYOUTS["arrays"]
    write_arrays(tmp_path, LABELS)
    assert int(np.asarray(build(layout, tmp_path).read(0)[1])) == 7
    np.savez_compressed(tmp_path / "train.npz", images=COLOUR[::-1], labels=LABELS[::-1])
    image, label = build(layout, tmp_path).read(0)
    assert int(np.asarray(label)) == 1
    assert np.array_equal(image, COLOUR[-1])
