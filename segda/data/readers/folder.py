"""Images and labels in folders, described by YAML alone: for one's own data.

Layout: whatever `images` and `labels` say; a label has its image's name but for the endings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.config.lookup import nearest
from segda.data.dataset import Dataset
from segda.data.decode import read_index, read_stored
from segda.data.find import PICTURES, Place
from segda.data.pictures import PictureOptions, open_pairs
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    images: str = "images/{split}",
    labels: str = "labels/{split}",
    image_endings: tuple[str, ...] = PICTURES,
    label_endings: tuple[str, ...] = (".png",),
    several_images: bool = False,
    classes: dict[int, str] | None = None,
    ignore: tuple[int, ...] = (),
    colours: dict[str, tuple[int, int, int]] | None = None,
    ignore_colours: tuple[tuple[int, int, int], ...] = (),
    **options: Unpack[PictureOptions],
) -> Dataset:
    """Index a data set that the config describes.

    Args:
        root: folder that holds the data set.
        space: the task's label space; `classes` and `colours` use its names.
        split: put for `{split}` in `images` and `labels`.
        with_labels: pair with labels; otherwise the label folder is not touched.
        images: image folder below `root`, searched with its subfolders; `*` stands for any folder's name.
        labels: label folder below `root`, searched likewise; it may be that of the images.
        image_endings: what image names end in, such as `_rgb.jpg`; what precedes it pairs image and label.
        label_endings: what label names end in, such as `_mask.png`.
        several_images: an image's name may go on after its label's, so that one label belongs to several images.
        classes: id in an 8-bit index or palette PNG to class name; several ids may share a class.
        ignore: ids that neither train nor score; any id in neither list is an error.
        colours: class name to RGB, for labels that are coloured pictures; instead of `classes`.
        ignore_colours: RGB colours that neither train nor score.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
        ConfigError: both or neither of `classes` and `colours`, or a name that the label space lacks.
    """
    pictures = Place(images.replace("{split}", split), image_endings)
    masks = Place(labels.replace("{split}", split), label_endings)
    ids, read_ids = _ids(space, classes or {}, ignore, colours or {}, ignore_colours, needed=with_labels)
    return open_pairs(
        "folder", root, space, ids, pictures, masks, read_ids, split, with_labels,
        several_images=several_images, **options,
    )  # fmt: skip


def _ids(
    space: LabelSpace,
    classes: Mapping[int, str],
    ignore: tuple[int, ...],
    colours: Mapping[str, tuple[int, int, int]],
    ignore_colours: tuple[tuple[int, int, int], ...],
    *,
    needed: bool,
) -> tuple[dict[int, str | None], Callable[[Path], np.ndarray]]:
    """Native id to class name, and what reads native ids."""
    if needed and bool(classes) == bool(colours):
        given = "both are given" if classes else "neither is given"
        raise ConfigError(f"folder: {given}; expected `classes` (id: name) or `colours` (name: [r, g, b])")
    key = "classes" if classes else "colours"
    for name in (*classes.values(), *colours):
        if name not in space.classes:
            raise ConfigError(
                f"folder: {key}: {name!r} is no class of label space {space.name!r}; {nearest(name, space.classes)} "
                "What should not count goes into `ignore`"
            )
    ids: dict[int, str | None]
    if colours:
        triples = (*colours.values(), *ignore_colours)
        ids = dict(enumerate((*colours, *[None] * len(ignore_colours))))
        if len(ids) > 256 or len(set(triples)) != len(triples):
            raise ConfigError("folder: colours: a colour occurs twice, or there are over 256; each must mean one class")
        return ids, _ColourIds(triples)
    wrong = [native for native in (*classes, *ignore) if not 0 <= native <= 255]
    both = sorted(set(classes) & set(ignore))
    if wrong or both:
        fault = f"id {wrong[0]} does not fit 8 bits (0..255)" if wrong else f"id {both[0]} is in `classes` and `ignore`"
        raise ConfigError(f"folder: {fault}; name each id once")
    return {**classes, **dict.fromkeys(ignore)}, read_index


@dataclass(frozen=True)
class _ColourIds:
    """Reads a coloured label; the id of a pixel is the index of its colour in `colours`."""

    colours: tuple[tuple[int, int, int], ...]

    def __call__(self, path: Path) -> np.ndarray:
        # One number a colour, so that each pixel is looked up by binary search.
        pixels = read_stored(path)[0].astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
        colours = np.array(self.colours, dtype=np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
        order = np.argsort(colours)
        ids = order[np.searchsorted(colours, pixels, sorter=order).clip(max=len(colours) - 1)]
        unknown = colours[ids] != pixels
        if unknown.any():
            values, counts = np.unique(pixels[unknown], return_counts=True)
            most = int(values[counts.argmax()])
            raise DataError(
                f"{path}: {len(values)} colours outside the map, most often {most >> 16, most >> 8 & 255, most & 255} "
                f"({int(counts.max())} pixels); name them in `colours` or `ignore_colours`; JPEG labels do not work"
            )
        return ids.astype(np.uint8)
