"""Images and labels in folders, described by YAML alone: for one's own data.

Layout: whatever `images` and `labels` say; a label has its image's name but for the endings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import Unpack

from segda.config.lookup import nearest
from segda.data.dataset import Dataset
from segda.data.decode import read_index, read_stored
from segda.data.find import PICTURES, Place
from segda.data.pictures import PictureOptions, open_pairs
from segda.errors import ConfigError, DataError
from segda.label_space import Colour, LabelSpace, names_known_in, native_colours, native_ids


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
    classes: list[str] | dict[int | str, str] | None = None,
    ignore: int | str | tuple[int | str, ...] = (),
    colours: dict[str, Colour | list[Colour]] | None = None,
    ignore_colours: tuple[Colour, ...] = (),
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
        image_endings: what image names end in, such as `_rgb.jpg`; what precedes it pairs image and label. Names that
            begin alike, too, are `rgb_*.jpg`.
        label_endings: what label names end in, such as `_mask.png`, or `mask_*.png`.
        several_images: an image's name may go on after its label's, so that one label belongs to several images.
        classes: id in a grey or palette image, up to 65535, or range of ids (`1..254`), to class name; several ids may
            share a class. A list names the ids from 0. Without it and `colours`, those of a label space of your own.
        ignore: ids and ranges that neither train nor score; any id in neither list is an error.
        colours: class name to RGB, one or several, for labels that are coloured pictures; instead of `classes`.
        ignore_colours: RGB colours that neither train nor score.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
        ConfigError: both or neither of `classes` and `colours`, an id or colour that occurs twice, or a name that the
            label space lacks, and any shipped one that it is a part of (as `cityscapes` is of `synthia16`).
    """
    pictures = Place(images.replace("{split}", split), image_endings)
    every = labels.split("{split}")[0]
    masks = Place(labels.replace("{split}", split), label_endings, every=every if every.endswith("/") else "")
    try:
        ids, read_ids = _ids(space, classes, ignore, colours, ignore_colours, needed=with_labels)
    except ConfigError as error:
        raise ConfigError(f"folder: {error}") from None
    return open_pairs(
        "folder", root, space, ids, pictures, masks, read_ids, split, with_labels,
        several_images=several_images, **options,
    )  # fmt: skip


def _ids(
    space: LabelSpace,
    classes: list[str] | dict[int | str, str] | None,
    ignore: int | str | tuple[int | str, ...],
    colours: dict[str, Colour | list[Colour]] | None,
    ignore_colours: tuple[Colour, ...],
    *,
    needed: bool,
) -> tuple[dict[int, str | None], Callable[[Path], np.ndarray]]:
    """Native id to class name, and what reads native ids."""
    by_id = bool(classes or ignore)
    by_colour = bool(colours or ignore_colours or (space.colours and not classes))
    if by_id and by_colour:
        raise ConfigError(
            "both are given, ids and colours; keep `classes` and `ignore`, or `colours` and `ignore_colours`"
        )
    named: dict[Any, str] = dict(enumerate(classes)) if isinstance(classes, list) else classes or {}
    # What the entry leaves out, a label space of one's own knows.
    ids = {**({} if named else dict(space.ids)), **native_ids(named.items(), ignore)}
    coloured = {**({} if colours else dict(space.colours)), **native_colours(colours or {}, ignore_colours)}
    if needed and not any((*ids.values(), *coloured.values())):
        raise ConfigError(
            "neither is given; expected `classes` (id: name) or `colours` (name: [r, g, b]), here or in a label space "
            "of your own"
        )
    known = names_known_in(space)
    for name in (*named.values(), *(colours or ())):
        if name not in known:
            raise ConfigError(
                f"{'colours' if colours else 'classes'}: {name!r} is no class of label space {space.name!r} (what "
                "should not count goes into `ignore`; for classes of your own, name this YAML file as `labels` of the "
                f"task, or after --labels); {nearest(name, space.classes)}"
            )
    if by_colour:
        return dict(enumerate(coloured.values())), _ColourIds(tuple(coloured))
    return ids, read_index


@dataclass(frozen=True)
class _ColourIds:
    """Reads a coloured label; the id of a pixel is the index of its colour in `colours`."""

    colours: tuple[Colour, ...]

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
