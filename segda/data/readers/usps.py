"""USPS: handwritten digits of postal codes, 16x16, grey.

Layout: `usps.bz2` and `usps.t.bz2` of the LIBSVM collection, values in [-1, 1], labels 1..10 for the digits 0..9; or
`usps.h5` with the groups `train` and `test`, each with `data` in [0, 1] and `target` 0..9. LIBSVM's come first.
LIBSVM's files hold an image and its label in one line: opened without labels, labels are dropped as lines are read.
Source: Hull (1994).
"""

import bz2
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.data.archive import check_bytes, eight_bits, first_file, open_archive, part, read_at_most, whole_numbers
from segda.data.dataset import Dataset
from segda.data.image_labels import ImageLabelOptions
from segda.errors import ConfigError
from segda.label_space import LabelSpace

_NAMES = {"train": ["usps.bz2", "usps", "usps.h5"], "test": ["usps.t.bz2", "usps.t", "usps.h5"]}
_SIDE = 16
_MOST_BYTES = 100_000_000


def build(
    root: Path, space: LabelSpace, split: str = "train", with_labels: bool = True, **options: Unpack[ImageLabelOptions]
) -> Dataset:
    """Open one split of USPS; keys are `00000`, `00001`, …

    Args:
        root: folder of the archives.
        space: the task's label space, `digits`.
        split: `train` or `test`.
        with_labels: keep the labels.
        options: those of every reader of whole-image labels.

    Raises:
        DataError: a file is missing or broken, pixel values outside their range, labels that are no digit or one alone.
        ConfigError: no such split, or an impossible `subset` or `limit`.
    """
    if split not in _NAMES:
        raise ConfigError(f"usps has no split {split!r}; valid: {', '.join(_NAMES)}")
    hdf5 = first_file(root, _NAMES[split]).suffix == ".h5"
    read_images: Callable[[Path], np.ndarray] = _Hdf5(split, "data") if hdf5 else _libsvm_images
    read_labels: Callable[[Path], np.ndarray] = _Hdf5(split, "target") if hdf5 else _libsvm_labels
    images = part(root, _NAMES[split], read_images)
    labels = part(root, _NAMES[split], read_labels) if with_labels else None
    classes: dict[int, str | None] = {digit if hdf5 else digit + 1: str(digit) for digit in range(10)}
    return open_archive("usps", root, space, classes, images, labels, **options)


def _lines(file: Path) -> list[bytes]:
    with bz2.open(file) if file.suffix == ".bz2" else file.open("rb") as opened:
        content = bytes(read_at_most(opened.read, _MOST_BYTES + 1))
    if len(content) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes of text, but USPS has 20 million")
    return [line for line in content.splitlines() if line.strip()]


def _libsvm_images(file: Path) -> np.ndarray:
    """uint8 `[N, 16, 16]` from lines of `label feature:value …`; features count from 1, absent ones are zero."""
    lines = _lines(file)
    counts = np.array([line.count(b":") for line in lines], dtype=np.int64)
    # All numbers at once: two million values one by one would take a second.
    text = b" ".join(line.partition(b" ")[2] for line in lines).replace(b":", b" ").split()
    numbers = np.array(text, dtype=np.float64).reshape(counts.sum(), 2)
    features, values = numbers[:, 0].astype(np.int64), numbers[:, 1]
    if not ((features >= 1) & (features <= _SIDE**2)).all():
        raise ValueError(f"features {features.min()} to {features.max()}, but USPS has 1 to {_SIDE**2}")
    pixels = np.zeros((len(lines), _SIDE**2))
    pixels[np.repeat(np.arange(len(lines)), counts), features - 1] = values
    return eight_bits(file, pixels, -1, 1).reshape(-1, _SIDE, _SIDE)


def _libsvm_labels(file: Path) -> np.ndarray:
    """int64 `[N]`, 1..10."""
    return np.array([int(float(line.split(None, 1)[0])) for line in _lines(file)], dtype=np.int64)


@dataclass(frozen=True)
class _Hdf5:
    """Reads `group/name` of an HDF5 file: `data` as uint8 `[N, 16, 16]`, `target` as integers `[N]`."""

    group: str
    name: str

    def __call__(self, file: Path) -> np.ndarray:
        import h5py

        with h5py.File(file, "r") as opened:
            stored = opened[self.group][self.name]
            if not isinstance(stored, h5py.Dataset) or stored.external or stored.is_virtual:
                raise ValueError(f"{self.group}/{self.name} is no array of this file")
            check_bytes(file, stored.shape, stored.dtype.itemsize)
            array = np.asarray(stored)
        if self.name == "target":
            return whole_numbers(array)
        return eight_bits(file, array, 0, 1).reshape(-1, _SIDE, _SIDE)
