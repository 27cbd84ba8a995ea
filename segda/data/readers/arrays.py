"""Images and labels as NumPy arrays: `.npz` files, or pairs of `.npy` files.

Layout: `<split>.npz` with `images` and `labels`, or what the options say: `images: USPS_{split}_images.npy` is a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.config.lookup import nearest
from segda.data.archive import Part, eight_bits, open_archive, part
from segda.data.dataset import Dataset
from segda.data.image_labels import ImageLabelOptions
from segda.data.npz import ArrayLabels, load
from segda.errors import ConfigError
from segda.label_space import LabelSpace


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    file: str = "{split}.npz",
    images: str = "images",
    labels: str = "labels",
    values: tuple[float, float] | None = None,
    classes: dict[int, str] | None = None,
    **options: Unpack[ImageLabelOptions],
) -> Dataset:
    """Open arrays; keys are `00000`, `00001`, …

    Args:
        root: folder of the files.
        space: the task's label space.
        split: put for `{split}` in `file`, `images` and `labels`.
        with_labels: read the labels; otherwise neither that array nor that file is opened.
        file: the `.npz` file below `root`; not used where `images` and `labels` are files of their own.
        images: name of the array, or a `.npy` file; `[N, H, W]`, `[N, H, W, 1 or 3]` or `[N, 1 or 3, H, W]`.
        labels: name of the array, or a `.npy` file; integers `[N]` or `[N, 1]`.
        values: the values of black and white, needed where images are not uint8: `[0, 1]` or `[-1, 1]`, say.
        classes: number in `labels` to class name; `None`: the numbers are indices of the label space,
            or the ids that a label space of your own gives.
        options: those of every reader of whole-image labels.

    Raises:
        DataError: a file is missing or broken, another shape or range, counts that disagree, labels that `classes`
            does not name or of one class.
        ConfigError: a class that the label space lacks, an empty range, or an impossible `subset` or `limit`.
    """
    if values is not None and not values[0] < values[1]:
        raise ConfigError(f"arrays: values: {list(values)}; expected [black, white] with black < white")
    for name in (classes or {}).values():
        if name not in space.classes:
            raise ConfigError(
                f"arrays: classes: {name!r} is no class of label space {space.name!r}; {nearest(name, space.classes)}"
            )
    if classes and not all(0 <= native <= 255 for native in classes):
        raise ConfigError("arrays: classes: a number does not fit 8 bits (0..255)")
    pictures = _part(root, file, images.replace("{split}", split), split, _Images, values)
    ids = _part(root, file, labels.replace("{split}", split), split, ArrayLabels) if with_labels else None
    named: Mapping[int, str | None] = {**classes} if classes else dict(space.ids or enumerate(space.classes))
    return open_archive("arrays", root, space, named, pictures, ids, **options)


def _part(root: Path, file: str, name: str, split: str, reads: type["_Images | ArrayLabels"], *options: object) -> Part:
    if name.endswith(".npy"):
        return part(root, [name], reads("", *options))  # type: ignore[arg-type]
    return part(root, [file.replace("{split}", split)], reads(name, *options))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Images:
    """Reads pictures as uint8 `[N, H, W]` or `[N, H, W, 3]`."""

    name: str
    values: tuple[float, float] | None

    def __call__(self, file: Path) -> np.ndarray:
        array = load(file, self.name)
        if array.ndim == 4 and array.shape[3] not in (1, 3) and array.shape[1] in (1, 3):
            array = array.transpose(0, 2, 3, 1)
        if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
            raise ValueError(f"images have the shape {array.shape}; expected (number, height, width[, 1 or 3])")
        if array.ndim == 4 and array.shape[3] == 1:
            array = array[:, :, :, 0]
        if array.dtype == np.uint8 and self.values is None:
            return array
        if self.values is None:
            raise ConfigError(f"{file}: images are {array.dtype}; give `values: [black, white]`, such as [0, 1]")
        return eight_bits(file, array, *self.values)
