"""MNIST: handwritten digits, 28x28, grey, in the four IDX files of their owners.

Layout: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-…` of both; each as it is or with `.gz`.
Labels are a separate file, which is not touched where the data set is opened without labels.
Source: LeCun et al. (1998).
"""

import gzip
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.data.archive import check_bytes, open_archive, part, read_at_most
from segda.data.dataset import Dataset
from segda.data.image_labels import ImageLabelOptions
from segda.errors import ConfigError
from segda.label_space import LabelSpace

_PREFIXES = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTES = 0x08


def build(
    root: Path, space: LabelSpace, split: str = "train", with_labels: bool = True, **options: Unpack[ImageLabelOptions]
) -> Dataset:
    """Open one split of MNIST, or of a set in its format; keys are `00000`, `00001`, …

    Args:
        root: folder of the IDX files.
        space: the task's label space, `digits`.
        split: `train` or `test`.
        with_labels: read the label file; otherwise it is not touched.
        options: those of every reader of whole-image labels.

    Raises:
        DataError: a file is missing, broken or of another size than its head says, labels outside 0..9 or of one class.
        ConfigError: no such split, or an impossible `subset` or `limit`.
    """
    if split not in _PREFIXES:
        raise ConfigError(f"mnist has no split {split!r}; valid: {', '.join(_PREFIXES)}")
    images = part(root, _names(split, "images-idx3"), _Idx(dimensions=3))
    labels = part(root, _names(split, "labels-idx1"), _Idx(dimensions=1)) if with_labels else None
    classes: dict[int, str | None] = {digit: str(digit) for digit in range(10)}
    return open_archive("mnist", root, space, classes, images, labels, **options)


def _names(split: str, kind: str) -> list[str]:
    name = f"{_PREFIXES[split]}-{kind}-ubyte"
    # Some tools unpack `images-idx3-ubyte` as `images.idx3-ubyte`.
    return [spelt + ending for spelt in (name, name.replace("-idx", ".idx")) for ending in ("", ".gz")]


@dataclass(frozen=True)
class _Idx:
    """Reads an IDX file of unsigned bytes: two zeros, type, number of dimensions, each size as big-endian int32."""

    dimensions: int

    def __call__(self, file: Path) -> np.ndarray:
        length = 4 + 4 * self.dimensions
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
            head = opened.read(length)
            if head[:4] != bytes((0, 0, _UNSIGNED_BYTES, self.dimensions)):
                expected = f"0000{_UNSIGNED_BYTES:02x}{self.dimensions:02x}"
                raise ValueError(f"it begins with {head[:4].hex() or 'nothing'}, an IDX file with {expected}")
            shape = tuple(int(size) for size in np.frombuffer(head, ">i4", self.dimensions, offset=4))
            check_bytes(file, shape, 1)
            size = math.prod(shape)
            # One byte more, so that a longer file is noticed, and a packed one that never ends is not unpacked.
            content = read_at_most(opened.read, size + 1)
        if len(content) != size:
            data = f"{length + len(content)} bytes of data" if len(content) < size else "more data"
            raise ValueError(f"{data}, but its head, {'x'.join(map(str, shape))}, says {length + size}")
        return np.frombuffer(content, np.uint8).reshape(shape)
