"""From a label file to class indices of the task: native ids are mapped BY CLASS NAME."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path

import cv2
import numpy as np

from segda.errors import DataError
from segda.label_space import LabelSpace

# Names of one class in different label spaces.
_ALIASES = ({"sidewalk", "pavement"}, {"vegetation", "tree"}, {"person", "pedestrian"}, {"traffic sign", "sign"})


def names_in(space: LabelSpace, classes: Mapping[int, str | None]) -> dict[int, str | None]:
    """A data set's classes, with names that a label space lacks replaced by the space's name for them, if it has one.

    `pavement` is `sidewalk` in `cityscapes`.
    """
    names = {name: name for name in space.classes}
    for same in _ALIASES:
        for name in same & set(space.classes):
            names |= dict.fromkeys(same - set(space.classes), name)
    return {native: names.get(name, name) if name is not None else None for native, name in classes.items()}


@dataclass(frozen=True)
class LabelDecoder:
    """Decodes label files of one data set into one label space; called with a path, it returns class indices.

    Attributes:
        space: the label space of the task.
        classes: native id (0..65535) to class name; a name that the space lacks, or `None`, is ignored.
        read_ids: label file to integer `[H, W]` of native ids, or to one id without dimensions for the whole image.
        ignore_from_row: share of the height from which the rows below are ignored, in `(0, 1]`.
    """

    space: LabelSpace
    classes: Mapping[int, str | None]
    read_ids: Callable[[Path], np.ndarray]
    ignore_from_row: float = 1.0

    @cached_property
    def table(self) -> np.ndarray:
        """Native id to class index, ignore index, or -1 for ids that `classes` does not name, as `LabelSpace.table`."""
        return self.space.table(self.classes)

    @cached_property
    def _indices(self) -> np.ndarray:
        """uint8: as `table`, with the ignore index for ids that `classes` does not name."""
        return np.where(self.table < 0, self.space.ignore_index, self.table).astype(np.uint8)

    @cached_property
    def _unnamed(self) -> int:
        """The least id that `classes` does not name."""
        return next((native for native, index in enumerate(self.table) if index < 0), len(self.table))

    def __call__(self, path: Path) -> np.ndarray:
        """Decode one label file.

        Returns:
            uint8 `[H, W]` of class indices, the ignore index where ignored; without dimensions where the label is one
            class for the whole image.

        Raises:
            DataError: the file is broken, or holds an id that `classes` does not name.
        """
        ids = self.read_ids(path)
        unknown = self.unknown(ids)
        if unknown:
            counts = (f"id {native} ({pixels} pixels)" for native, pixels in sorted(unknown.items()))
            raise DataError(
                f"{path}: {', '.join(counts) if ids.ndim else f'label {ids}'} outside the id map, which names "
                f"{ranges(self.classes)}; repair the file or exclude it, or, if it belongs to another data set, use "
                "that one's reader"
            )
        return self.to_classes(ids)

    def unknown(self, ids: np.ndarray) -> dict[int, int]:
        """The ids that `classes` does not name, with their pixel counts (1 for a whole image's label)."""
        # Of 8 bits, where a maximum takes a tenth of a look at every pixel's entry in the table, which takes a tenth of
        # counting the ids.
        is_short = bool(ids.ndim) and ids.dtype == np.uint8
        if is_short and (ids.max() < self._unnamed or cv2.minMaxLoc(cv2.LUT(ids, self.table[:256]))[0] >= 0):
            return {}
        natives, counts = np.unique(ids, return_counts=True) if ids.ndim else ([int(ids)], [1])
        return {
            int(native): int(count)
            for native, count in zip(natives, counts, strict=True)
            if not 0 <= native < len(self.table) or self.table[native] < 0
        }

    def to_classes(self, ids: np.ndarray) -> np.ndarray:
        """Map native ids to class indices; ids that are not named become the ignore index."""
        if not ids.ndim:
            is_known = 0 <= int(ids) < len(self.table)
            return np.array(self._indices[int(ids)] if is_known else self.space.ignore_index, dtype=np.uint8)
        if ids.dtype == np.uint8:
            label = cv2.LUT(ids, self._indices[:256])
        else:
            inside = (ids >= 0) & (ids < len(self.table))
            label = np.where(inside, self._indices[np.where(inside, ids, 0)], self.space.ignore_index).astype(np.uint8)
        label[ceil(self.ignore_from_row * ids.shape[0]) :] = self.space.ignore_index
        return label


def ranges(ids: Mapping[int, str | None]) -> str:
    """A set of ids in short, such as `0..12, 20`."""
    runs: list[list[int]] = []
    for native in sorted(ids):
        if runs and native == runs[-1][1] + 1:
            runs[-1][1] = native
        else:
            runs.append([native, native])
    return ", ".join(str(first) if first == last else f"{first}..{last}" for first, last in runs)
