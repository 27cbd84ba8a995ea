"""MNIST-M: digits of MNIST blended over patches of photographs, 32x32, colour, in the layout of their authors.

Layout: `mnist_m_<split>/00000000.png`, …, and `mnist_m_<split>_labels.txt`, a line `00000000.png 5` an image.
Source: Ganin & Lempitsky (ICML 2015).
"""

from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.data.archive import part, unopened
from segda.data.dataset import Dataset
from segda.data.find import PICTURES, Place, find_images
from segda.data.image_labels import LabelledPictureOptions, open_pictures
from segda.errors import ConfigError
from segda.label_space import LabelSpace

_SPLITS = ("train", "test")


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    **options: Unpack[LabelledPictureOptions],
) -> Dataset:
    """Index one split of MNIST-M.

    Args:
        root: folder with `mnist_m_<split>` and `mnist_m_<split>_labels.txt`.
        space: the task's label space, `digits`.
        split: `train` or `test`.
        with_labels: pair with labels; otherwise the list of labels is not touched.
        options: those of every reader of whole-image labels.

    Raises:
        DataError: missing folder or list, a line that is no file and label, unpaired files, labels that are no digit.
        ConfigError: no such split, or an impossible `subset` or `limit`.
    """
    if split not in _SPLITS:
        raise ConfigError(f"mnist_m has no split {split!r}; valid: {', '.join(_SPLITS)}")
    images = find_images(root, Place(f"mnist_m_{split}", PICTURES), exclude=options.get("exclude", ()))
    lists = [f"mnist_m_{split}_labels.txt"]
    names = part(root, lists, _names) if with_labels else None
    ids = part(root, lists, _ids) if with_labels else None
    listed = None
    if names is not None and ids is not None:
        listed = {Path(str(name)).stem: ids.file / str(line) for line, name in enumerate(names.array())}
    classes: dict[int, str | None] = {digit: str(digit) for digit in range(10)}
    read_ids = unopened if ids is None else ids.entry
    return open_pictures("mnist_m", root, space, classes, images, listed, read_ids, split=split, **options)


def _entries(file: Path) -> list[tuple[str, int]]:
    entries = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        name, label = line.split() if len(line.split()) == 2 else ("", "")
        if not label.lstrip("-").isdigit():
            raise ValueError(f"line {number} is {line!r}; expected a file and its label")
        entries.append((name, int(label)))
    names = [name for name, _ in entries]
    if len(set(names)) != len(names):
        raise ValueError(f"{len(names) - len(set(names))} files are listed twice")
    return entries


def _names(file: Path) -> np.ndarray:
    return np.array([name for name, _ in _entries(file)])


def _ids(file: Path) -> np.ndarray:
    return np.array([label for _, label in _entries(file)], dtype=np.int64)
