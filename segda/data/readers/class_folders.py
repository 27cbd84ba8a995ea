"""One folder of pictures a class: Office-31, Office-Home, and any tree of that shape.

Layout: `<class>/*.jpg` (or png), or `images/<class>/*.jpg`, as Office-31 is published. The folder names are the
classes: there is no label file, and a picture's key shows its class also where labels are not opened; no stage uses
it.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.data.dataset import Dataset, Problem
from segda.data.find import PICTURES, Place, find_images
from segda.data.image_labels import LabelledPictureOptions, open_pictures
from segda.data.index import summary
from segda.data.split_list import check_split
from segda.errors import DataError
from segda.label_space import LabelSpace


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    folder: str = "",
    **options: Unpack[LabelledPictureOptions],
) -> Dataset:
    """Index a tree of class folders; keys are `back_pack/frame_0001`.

    The folders must be the classes of the label space, no fewer and no more, in every domain. Upper case, spaces and
    hyphens of their names do not count: `Desk Chair` is `desk_chair`.

    Args:
        root: folder that holds the class folders.
        space: the task's label space, such as `office31`.
        split: put for `{split}` in `folder`; without it, `train`, all files: there is no other, unless
            a `list` names it.
        with_labels: give labels.
        folder: where the class folders are, below `root`: `{split}` for `train/<class>`, `val/<class>`.
        options: those of every reader of whole-image labels.

    Raises:
        DataError: missing folder, no images, images outside class folders, class folders that differ from the label
            space, all images of one class.
        ConfigError: no such split, or an impossible `subset` or `limit`.
    """
    if "{split}" not in folder:
        check_split("class_folders", split, options.get("list"), ", or the folders do: `folder: '{split}'`")
    below = folder.replace("{split}", split)
    if (root / below / "images").is_dir() and "images" not in space.classes:
        below = f"{below}/images".lstrip("/")
    top = root / below
    files = find_images(root, Place(below, PICTURES), exclude=options.get("exclude", ()))
    folders = _ClassFolders(top, space.classes)
    images = {key: path for key, path in files.items() if folders.class_of(path) is not None}
    problems = _problems(top, space, files, images)
    if problems and options.get("strict", True):
        raise DataError(
            f"{top}: {summary(top, problems)}, but label space {space.name!r} has {space.count} classes; every domain "
            "must have the classes of the label space"
        )
    classes: dict[int, str | None] = dict(enumerate(space.classes))
    labels = images if with_labels else None
    return open_pictures(
        "class_folders", root, space, classes, images, labels, folders, problems, split=split, **options
    )


def _normal(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


@dataclass(frozen=True)
class _ClassFolders:
    """The class index of a picture below `top`, by the name of its class folder."""

    top: Path
    classes: tuple[str, ...]

    @cached_property
    def indices(self) -> dict[str, int]:
        """Normal name to class index."""
        return {_normal(name): index for index, name in enumerate(self.classes)}

    def class_of(self, path: Path) -> int | None:
        """The class index; `None` for a picture in no folder of a class."""
        parts = path.relative_to(self.top).parts
        return self.indices.get(_normal(parts[0])) if len(parts) > 1 else None

    def __call__(self, path: Path) -> np.ndarray:
        return np.array(self.class_of(path))


def _problems(top: Path, space: LabelSpace, files: dict[str, Path], images: dict[str, Path]) -> tuple[Problem, ...]:
    """Folders that are no class, classes without pictures, folders of one name, pictures outside all folders."""
    classes = {_normal(name) for name in space.classes}
    folders = sorted(path for path in top.iterdir() if path.is_dir() and not path.name.startswith("."))
    names = [_normal(path.name) for path in folders]
    present = {_normal(key.partition("/")[0]) for key in images}
    return (
        *(Problem("unknown class folder", path) for path in folders if _normal(path.name) not in classes),
        *(Problem("class without pictures", top / name) for name in space.classes if _normal(name) not in present),
        *(Problem("second folder of a class", path) for i, path in enumerate(folders) if names[i] in names[:i]),
        *(Problem("picture outside class folders", path) for key, path in files.items() if "/" not in key),
    )
