"""Find the layout of a folder of somebody's own: where its images are, where their label images, and which splits.

Images and labels are paired by their names, so the layout is the one by which most of them pair.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path, PurePosixPath

import numpy as np

from segda.data.find import LABEL_PREFIX, LABEL_SUFFIX, PICTURES, check_root
from segda.data.label_values import read_values
from segda.errors import DataError

SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing")

#: Folders that are looked at, the highest first; cities and days below them are parts of names.
MOST_FOLDERS = 80

_OF_LABELS = re.compile(r"label|mask|gt|truth|annot|seg|class|lbl", re.IGNORECASE)
_FLAT = 0.7
"""Of neighbouring pixels of a label image, at least this share is equal; of photographs less than half is."""


@dataclass(frozen=True)
class Layout:
    """Where a data set's files are, as the options of the reader `folder` say it.

    Attributes:
        images: image folder below the root, with `{split}` where there are splits.
        image_endings: what image names end in; empty for any picture.
        labels: label folder, likewise; empty without labels.
        label_endings: what label names end in.
        splits: the splits, those to train on first; empty where there are none.
    """

    images: str
    image_endings: tuple[str, ...] = ()
    labels: str = ""
    label_endings: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Group:
    """Files of one folder with its sub-folders, whose names end alike: name without ending to the file's suffix."""

    folder: PurePosixPath
    mark: str
    files: dict[str, str]

    @property
    def endings(self) -> tuple[str, ...]:
        start, star, end = self.mark.rpartition("*")
        return tuple(f"{start}{star}{end}{suffix}" for suffix in sorted(set(self.files.values())))

    def path(self, root: Path, key: str) -> Path:
        start, _, end = self.mark.rpartition("*")
        name = PurePosixPath(key)
        return root / self.folder / name.parent / f"{start}{name.name}{end}{self.files[key]}"


def find_labelled(root: Path) -> Layout:
    """The layout of a folder of images with a label image each.

    Raises:
        DataError: no image has a label, or it is not clear which files are labels.
    """
    groups = list(_groups(root))
    best, pairs = None, 0
    for first, second in product(groups, groups):
        if first.mark and not _is_ending(first.mark):
            continue  # marked as a label
        same = _shared(first, second)
        nearer = best is None or _nearness(first, second) > _nearness(*best)
        if same > pairs or (same == pairs and pairs and nearer):
            best, pairs = (first, second), same
    if best is None:
        texts = any(name.endswith((".json", ".xml", ".txt")) for _, _, names in os.walk(root) for name in names)
        remedy = "make label images of the polygons first" if texts else "give each label the name of its image"
        raise DataError(
            f"{root}: no picture there has a label image of the same name; {remedy}, or describe the folder in a YAML "
            "(docs/own_data.md) and name that"
        )
    images, labels = _ordered(root, *best)
    layout = Layout(str(images.folder), images.endings, str(labels.folder), labels.endings)
    return _with_splits(root, layout, images.files.keys() & labels.files.keys())


def find_images(root: Path) -> Layout:
    """The layout of a folder of images, whether or not there are labels.

    Raises:
        DataError: no picture is there.
    """
    try:
        return find_labelled(root)
    except DataError:
        groups = [group for group in _groups(root) if not group.mark]
    if not groups:
        raise DataError(f"{root}: holds no picture; expected files that end in {', '.join(PICTURES)}")
    most = max(len(group.files) for group in groups)
    deepest = max((group for group in groups if len(group.files) == most), key=lambda group: len(group.folder.parts))
    return _with_splits(root, Layout(str(deepest.folder)), set(deepest.files))


def _groups(root: Path) -> Iterator[_Group]:
    """The files below each folder by what their names end in, and again by the ending that all of these share."""
    check_root(root)
    found: dict[PurePosixPath, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for parent, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = PurePosixPath(Path(parent).relative_to(root).as_posix())
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in PICTURES or name.startswith("."):
                continue
            after, before = LABEL_SUFFIX.search(stem), LABEL_PREFIX.search(stem)
            key = stem[: after.start()] if after else stem[before.end() :] if before else stem
            ending = after[0] if after else f"{before[0]}*" if before else ""
            for top in (here, *here.parents):
                found[top][ending].append((str(here.relative_to(top) / key), suffix))
    for top in sorted(found, key=lambda top: (len(top.parts), top))[:MOST_FOLDERS]:
        for mark, listed in found[top].items():
            files = dict(listed)
            ending = _common_ending(list(files))
            if len(files) < len(listed):  # names that differ in the kind of file alone: images and labels, perhaps
                for kind in sorted({suffix for _, suffix in listed}):
                    yield _Group(top, mark, {key: suffix for key, suffix in listed if suffix == kind})
                continue
            yield _Group(top, mark, files)
            if ending and "*" not in mark:
                yield _Group(top, ending + mark, {key.removesuffix(ending): kind for key, kind in files.items()})


def _common_ending(keys: list[str]) -> str:
    """What all of several names end in, from a mark such as `_` on; empty where that holds no letter."""
    shared = os.path.commonprefix([key[::-1] for key in keys])[::-1] if len(keys) > 1 else ""
    mark = re.search(r"[_.-][^/]*[A-Za-z][^/]*$", shared)
    return mark[0] if mark and all(len(PurePosixPath(key).name) > len(mark[0]) for key in keys) else ""


def _is_ending(mark: str) -> bool:
    """Whether it is an ending that images share, and no name of labels."""
    return "*" not in mark and LABEL_SUFFIX.search(f"x{mark}") is None


def _shared(images: _Group, labels: _Group) -> int:
    """How many images have a label."""
    same = images.files.keys() & labels.files.keys()
    return sum(images.path(Path(), key) != labels.path(Path(), key) for key in same)


def _nearness(images: _Group, labels: _Group) -> tuple[int, int, int]:
    """Of layouts by which as many pair: whose folders share most, then that which reads ids, then the highest."""
    shared = len(os.path.commonprefix([images.folder.parts, labels.folder.parts]))
    rank = next(
        (number for number, text in enumerate(("instance", "color", "trainid", "")) if text in labels.mark.lower()), 0
    )
    return shared, rank, -len(images.folder.parts) - len(labels.folder.parts)


def _ordered(root: Path, first: _Group, second: _Group) -> tuple[_Group, _Group]:
    """Images and labels: labels by their names' endings, else by what is in the files, else by their folder's name."""
    if second.mark and not _is_ending(second.mark):
        return first, second
    keys = sorted(first.files.keys() & second.files.keys())
    some = keys[:: max(1, len(keys) // 4)][:4]
    flat = [all(_is_flat(group.path(root, key)) for key in some) for group in (first, second)]
    if flat[0] == flat[1]:
        flat = [bool(_OF_LABELS.search(str(group.folder))) for group in (first, second)]
    if flat[0] == flat[1]:
        raise DataError(
            f"{root}: cannot tell which are the labels, {first.folder}/*{first.endings[0]} or "
            f"{second.folder}/*{second.endings[0]}; call their folder labels (never JPEG), or describe the folder in a "
            "YAML (docs/own_data.md) and name that"
        )
    return (second, first) if flat[0] else (first, second)


def _is_flat(path: Path) -> bool:
    """Whether most neighbouring pixels are equal, as in label images."""
    try:
        values = read_values(path)
    except DataError:
        return False
    return values.shape[1] > 1 and bool(np.mean(values[:, 1:] == values[:, :-1]) > _FLAT)


def _with_splits(root: Path, layout: Layout, keys: set[str]) -> Layout:
    """The layout with `{split}` in place of folders that are called as splits."""
    first = {PurePosixPath(key).parts[0] for key in keys if "/" in key}
    if first and first <= set(SPLITS) and all("/" in key for key in keys):
        places = [f"{folder}/{{split}}".removeprefix("./") for folder in (layout.images, layout.labels)]
    else:
        split = next((part for part in PurePosixPath(layout.images).parts if part in SPLITS), None)
        if split is None or (layout.labels and split not in PurePosixPath(layout.labels).parts):
            return layout
        places = [
            "/".join("{split}" if part == split else part for part in PurePosixPath(folder).parts)
            for folder in (layout.images, layout.labels)
        ]
    images, labels = places[0], places[1] if layout.labels else ""
    there = [root.joinpath(images.replace("{split}", split)) for split in SPLITS]
    splits = tuple(split for split, folder in zip(SPLITS, there, strict=True) if folder.is_dir())
    return replace(layout, images=images, labels=labels, splits=splits)
