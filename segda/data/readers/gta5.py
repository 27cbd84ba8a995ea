"""GTA5 ("Playing for Data"): 24,966 frames; labels are palette PNGs whose index is the Cityscapes id.

Layout: `images/00001.png`, `labels/00001.png`, optionally `split.mat`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import image_size, read_index
from segda.data.find import PICTURES, Place
from segda.data.label_decoder import names_in
from segda.data.pictures import PictureOptions, open_pairs
from segda.data.split_list import check_split
from segda.errors import ConfigError, DataError, reason
from segda.files import is_below
from segda.label_space import LabelSpace
from segda.label_spaces.cityscapes import IDS

# 15188 is all white, 17705 all black, 15617 holds a single class.
KNOWN_BAD = ("15188", "15617", "17705")

# The labels of these frames are published in another size than the images.
RESIZED = range(20801, 20861)

_SPLITS = {"train": "trainIds", "val": "valIds", "test": "testIds"}


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    split_file: str | None = None,
    skip_known_bad: bool = True,
    **options: Unpack[PictureOptions],
) -> Dataset:
    """Index GTA5.

    Args:
        root: folder with `images` and `labels`.
        space: the task's label space.
        split: `train` is all files, as domain adaptation uses them; `val` and `test` need `split_file` or `list`.
        with_labels: pair with labels; otherwise the label folder is not touched.
        split_file: the authors' `split.mat`, below `root`; restricts `train`, `val`, `test` to its lists.
        skip_known_bad: leave out 15188, 15617 and 17705.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
        ConfigError: a split that the options do not define.
    """
    if split_file is None:
        check_split("gta5", split, options.get("list"), ", or `split_file: split.mat`")
    elif split not in _SPLITS:
        raise ConfigError(f"gta5 has no split {split!r} in {split_file}; valid: {', '.join(_SPLITS)}")
    if split_file is not None and not is_below(split_file):
        raise ConfigError(f"split_file: {split_file!r} leads out of {root}; expected a file below it")
    members = None if split_file is None else _members(root / split_file, _SPLITS[split])
    if skip_known_bad:
        options["exclude"] = (*options.get("exclude", ()), *KNOWN_BAD)
    images, labels = Place("images", PICTURES), Place("labels", (".png",))
    classes, read_ids = names_in(space, IDS), _ReadIds(root / "images")
    return open_pairs(
        "gta5", root, space, classes, images, labels, read_ids, split, with_labels, only=members, **options
    )


@dataclass(frozen=True)
class _ReadIds:
    """Reads the palette index; labels that are published in another size get the size of their images."""

    images: Path

    def __call__(self, path: Path) -> np.ndarray:
        ids = read_index(path)
        if path.stem.isdigit() and int(path.stem) in RESIZED:
            height, width = image_size(next(self.images.glob(f"{path.stem}.*")))
            ids = cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return ids


def _members(file: Path, field: str) -> set[str]:
    """The keys that one list of `split.mat` names."""
    from scipy.io import loadmat

    if not file.is_file():
        raise DataError(f"split file {file} is missing; fetch it from the GTA5 page, or leave out `split_file`")
    try:
        content: dict[str, Any] = loadmat(file)
        return {f"{int(number):05d}" for number in np.asarray(content[field]).ravel()}
    except Exception as error:  # scipy's errors for damaged files share no narrower base
        raise DataError(
            f"split file {file}: cannot read {field!r} ({reason(error)}); fetch it again, or use `list` for a text file"
        ) from error
