"""Data sets whose label is one class for the whole image: what is checked when they are opened."""

from dataclasses import replace

import numpy as np

from segda.data.dataset import Dataset, Problem
from segda.data.label_decoder import LabelDecoder, ranges
from segda.errors import ConfigError, DataError


def checked(
    dataset: Dataset, ids: np.ndarray | None, *, strict: bool = True, allow_single_class: bool = False
) -> Dataset:
    """The data set, once its labels are known to be of use.

    Args:
        dataset: its `decode_label` is a `LabelDecoder`.
        ids: native ids of the samples, integers `[N]`; `None` when labels are not opened.
        strict: raise on wrong labels. Otherwise labels outside the map are left to `check`, which finds each of them,
            and a single class becomes one of `Dataset.problems`.
        allow_single_class: whether all labels may be of one class.

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
    first = dataset.samples[0].label or dataset.root
    file = first.parent if first.parent.is_file() else dataset.root
    found, places, counts = np.unique(ids, return_index=True, return_counts=True)
    inside = (found >= 0) & (found < 256)
    known = inside & (decoder.table[np.where(inside, found, 0)] >= 0)
    if strict and not known.all():
        worst = int(np.flatnonzero(~known)[0])
        raise DataError(
            f"{file}: {int(counts[~known].sum())} labels outside the id map, which names {ranges(decoder.classes)}: "
            f"{int(found[worst])} first at {dataset.samples[places[worst]].key}; fetch the file again, or use the "
            "reader that it belongs to"
        )
    classes = np.unique(decoder.table[found[known]])
    if len(classes) > 1 or allow_single_class:
        return dataset
    name = (*dataset.space.classes, *["ignored"])[min(int(classes[0]), dataset.space.count)] if len(classes) else "none"
    if strict:
        raise DataError(
            f"{file}: all {len(ids)} labels are of class {name!r}, from which nothing can be learnt; take more "
            "samples, or set `allow_single_class: true`"
        )
    return replace(dataset, problems=(*dataset.problems, Problem("single class", file, f"{len(ids)} x {name}")))
