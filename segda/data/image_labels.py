"""Data sets whose label is one class for the whole image: which samples are used, and what is checked on opening."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.data.dataset import Dataset, Problem
from segda.data.index import FolderOptions, ReaderOptions, choose, pair
from segda.data.label_decoder import LabelDecoder, ranges
from segda.data.pictures import Orientation, PictureOptions, Pictures
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace


class ImageLabelOptions(ReaderOptions, total=False):
    """What every reader of whole-image labels takes besides its own options; wrong labels count as unpaired files do.

    Attributes:
        subset: use a random choice of so many images.
        subset_seed: which choice.
        allow_single_class: whether all labels may be of one class.
    """

    subset: int | None
    subset_seed: int
    allow_single_class: bool


class LabelledPictureOptions(ImageLabelOptions, PictureOptions, total=False):
    """What every reader of whole-image labels takes whose images are files of their own."""


def open_pictures(  # noqa: D417
    name: str,
    root: Path,
    space: LabelSpace,
    classes: Mapping[int, str | None],
    images: Mapping[str, Path],
    labels: Mapping[str, Path] | None,
    read_ids: Callable[[Path], np.ndarray],
    problems: tuple[Problem, ...] = (),
    *,
    split: str,
    subset: int | None = None,
    subset_seed: int = 0,
    allow_single_class: bool = False,
    orientation: Orientation | None = None,
    bands: tuple[int, ...] | None = None,
    values: tuple[float, float] | None = None,
    **options: Unpack[FolderOptions],
) -> Dataset:
    """A data set with a file for each picture; the options are those of `LabelledPictureOptions`.

    Args:
        name: the reader's name.
        root: the folder that holds the files.
        space: the task's label space.
        classes: native id to class name.
        images: key to picture.
        labels: key to what `read_ids` takes; `None` when labels are not opened.
        read_ids: to a native id, an integer without dimensions.
        problems: further ones.
        split: put for `{split}` in the name of a list.

    Raises:
        DataError: nothing is left, and when strict, unpaired files, labels outside `classes` or of one class.
        ConfigError: a label space of other classes, or impossible `subset`, `limit`, `bands` or `values`.
    """
    limit = options.pop("limit", None)
    # The second column of a list is then a class, as a number; it is the folder or the set's own list that counts.
    paired, unpaired = pair(root, images, labels, split, check_listed_labels=False, **options)
    chosen = choose([sample.key for sample in paired], root, subset=subset, subset_seed=subset_seed, limit=limit)
    samples = tuple(paired[index] for index in chosen)
    decoder = LabelDecoder(space, classes, read_ids)
    pictures = Pictures(orientation, bands, values)  # a class has no size that would tell how to turn them
    dataset = Dataset(name, root, space, samples, pictures, decoder, (*problems, *unpaired))
    ids = [int(read_ids(sample.label)) for sample in samples if sample.label is not None]
    return checked(dataset, None if labels is None else np.array(ids), options.get("strict", True), allow_single_class)


def checked(dataset: Dataset, ids: np.ndarray | None, strict: bool, allow_single_class: bool) -> Dataset:
    """The data set, after a check that its labels, native ids `[N]` or `None` when not opened, can be learnt from.

    Unless strict, labels outside the map are left to `check`, and a single class becomes one of `Dataset.problems`.

    Raises:
        DataError: when strict, labels outside the map, or all of one class.
        ConfigError: the label space has none of the data set's classes.
    """
    decoder = dataset.decode_label
    if not isinstance(decoder, LabelDecoder):
        return dataset
    names = {name for name in decoder.classes.values() if name is not None}
    if not names & set(dataset.space.classes):
        raise ConfigError(
            f"{dataset.name}: classes {', '.join(sorted(names)[:10])}, but label space {dataset.space.name!r} has none "
            "of them; give the data set's own label space"
        )
    if ids is None:
        return dataset
    label = dataset.samples[0].label or dataset.root
    file = label.parent if label.parent.is_file() else dataset.root
    natives, indices, counts = np.unique(ids, return_index=True, return_counts=True)
    inside = (natives >= 0) & (natives < len(decoder.table))
    named = inside & (decoder.table[np.where(inside, natives, 0)] >= 0)
    if strict and not named.all():
        first = int(np.flatnonzero(~named)[0])
        raise DataError(
            f"{file}: {int(counts[~named].sum())} labels outside the id map, which names {ranges(decoder.classes)}: "
            f"{int(natives[first])} first at {dataset.samples[indices[first]].key}; fetch the file again, or use the "
            "reader that it belongs to"
        )
    classes = np.unique(decoder.table[natives[named]])
    if len(classes) > 1 or allow_single_class:
        return dataset
    name = (*dataset.space.classes, *["ignored"])[min(int(classes[0]), dataset.space.count)] if len(classes) else "none"
    if strict:
        raise DataError(
            f"{file}: all {len(ids)} labels are of class {name!r}, from which nothing can be learnt; take more "
            "samples, or set `allow_single_class: true`"
        )
    return replace(dataset, problems=(*dataset.problems, Problem("single class", file, f"{len(ids)} x {name}")))
