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
from segda.data.decode import image_size, read_index, read_rgb
from segda.data.index import ReaderOptions, find_files, pair
from segda.data.label_decoder import LabelDecoder, names_in
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
    **options: Unpack[ReaderOptions],
) -> Dataset:
    """Index GTA5.

    Args:
        root: folder with `images` and `labels`.
        space: the task's label space.
        split: `train` is all files, as domain adaptation uses them; `val` and `test` need `split_file`.
        with_labels: pair with labels; otherwise the label folder is not touched.
        split_file: the authors' `split.mat`, below `root`; restricts `train`, `val`, `test` to its lists.
        skip_known_bad: leave out 15188, 15617 and 17705.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
        ConfigError: a split that the options do not define.
    """
    images = find_files(root, "images", [".png"])
    labels = find_files(root, "labels", [".png"]) if with_labels else None
    if split not in _SPLITS or (split != "train" and split_file is None):
        raise ConfigError(
            f"gta5 has no split {split!r} here; expected 'train' (all files), or 'train', 'val', 'test' with "
            "`split_file: split.mat`"
        )
    if split_file is not None and not is_below(split_file):
        raise ConfigError(f"split_file: {split_file!r} leads out of {root}; expected a file below it")
    if split_file is not None:
        members = _members(root / split_file, _SPLITS[split])
        images = {key: path for key, path in images.items() if key in members}
        labels = None if labels is None else {key: path for key, path in labels.items() if key in members}
    if skip_known_bad:
        options["exclude"] = (*options.get("exclude", ()), *KNOWN_BAD)
    samples, problems = pair(root, images, labels, **options)
    decoder = LabelDecoder(space, names_in(space, IDS), _ReadIds(root / "images"))
    return Dataset("gta5", root, space, samples, read_rgb, decoder, problems)


@dataclass(frozen=True)
class _ReadIds:
    """Reads the palette index; labels that are published in another size get the size of their images."""

    images: Path

    def __call__(self, path: Path) -> np.ndarray:
        ids = read_index(path)
        if path.stem.isdigit() and int(path.stem) in RESIZED:
            height, width = image_size(self.images / path.name)
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
        raise DataError(f"split file {file}: cannot read {field!r} ({reason(error)}); fetch it again") from error
