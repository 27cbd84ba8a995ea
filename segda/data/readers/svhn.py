"""SVHN: house numbers photographed in the street, cropped to one digit, 32x32, colour.

Layout: `train_32x32.mat`, `test_32x32.mat`, `extra_32x32.mat` (format 2 of its owners); label 10 is the digit 0.
Images and labels are variables of one file; opened without labels, that variable is skipped.
Source: Netzer et al. (2011).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.data.archive import check_bytes, open_archive, part, whole_numbers
from segda.data.dataset import Dataset
from segda.data.image_labels import ImageLabelOptions
from segda.errors import ConfigError
from segda.label_space import LabelSpace

_SPLITS = ("train", "test", "extra")


def build(
    root: Path, space: LabelSpace, split: str = "train", with_labels: bool = True, **options: Unpack[ImageLabelOptions]
) -> Dataset:
    """Open one split of the cropped SVHN; keys are `00000`, `00001`, …

    Args:
        root: folder of the MATLAB files.
        space: the task's label space, `digits`.
        split: `train`, `test` or `extra`.
        with_labels: read the labels.
        options: those of every reader of whole-image labels.

    Raises:
        DataError: a file is missing or broken, counts that disagree, labels outside 1..10 or of one class.
        ConfigError: no such split, or an impossible `subset` or `limit`.
    """
    if split not in _SPLITS:
        raise ConfigError(f"svhn has no split {split!r}; valid: {', '.join(_SPLITS)}")
    names = [f"{split}_32x32.mat"]
    images = part(root, names, _Variable("X"))
    labels = part(root, names, _Variable("y")) if with_labels else None
    classes: dict[int, str | None] = {**{digit: str(digit) for digit in range(1, 10)}, 10: "0"}
    return open_archive("svhn", root, space, classes, images, labels, **options)


@dataclass(frozen=True)
class _Variable:
    """Reads a variable of a MATLAB file: `X` as uint8 `[N, H, W, 3]`, `y` as integers `[N]`."""

    name: str

    def __call__(self, file: Path) -> np.ndarray:
        from scipy.io import loadmat, whosmat

        for name, shape, _ in whosmat(file):
            if name == self.name:
                check_bytes(file, shape, 1)
        variables = loadmat(file, variable_names=[self.name])
        if self.name not in variables:
            raise ValueError(f"no variable {self.name!r}; expected the cropped digits, format 2")
        array = np.asarray(variables[self.name])
        if self.name == "y":
            return whole_numbers(array)
        if array.ndim != 4 or array.shape[2] != 3 or array.dtype != np.uint8:
            raise ValueError(f"X is {array.dtype} {array.shape}; expected uint8 (height, width, 3, number)")
        return array.transpose(3, 0, 1, 2)
