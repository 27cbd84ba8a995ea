"""One folder of pictures a class: Office-31, Office-Home, and any tree of that shape.

Layout: `<class>/*.jpg` (or png), or `images/<class>/*.jpg`, as Office-31 is published. The folder names are the
classes: there is no label file, and a picture's key shows its class also where labels are not opened; no stage looks at
it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segda.data.dataset import Dataset, Problem
from segda.data.decode import read_rgb
from segda.data.image_labels import checked
from segda.data.index import PICTURES, Selection, find_files, pair
from segda.data.label_decoder import LabelDecoder
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    strict: bool = True,
    folder: str = "",
    exclude: tuple[str, ...] = (),
    subset: int | None = None,
    subset_seed: int = 0,
    limit: int | None = None,
    allow_single_class: bool = False,
) -> Dataset:
    """Index a tree of class folders; keys are `back_pack/frame_0001`.

    The folders must be the classes of the label space, no fewer and no more, in every domain. Upper case, spaces and
    hyphens of their names do not count: `Desk Chair` is `desk_chair`.

    Args:
        root: folder that holds the class folders.
        space: the task's label space, such as `office31`.
        split: put for `{split}` in `folder`; without it, `train`, all files: there is no other.
        with_labels: give labels.
        strict: raise on class folders that differ from the label space, else list them in `Dataset.problems`.
        folder: where the class folders are, below `root`: `{split}` for `train/<class>`, `val/<class>`.
        exclude: keys to leave out, as shell patterns.
        subset: use a random choice of so many images.
        subset_seed: which choice.
        limit: keep the first so many samples.
        allow_single_class: whether all labels may be of one class.

    Raises:
        DataError: missing folder, no images, images outside class folders, class folders that differ from the label
            space, all images of one class.
        ConfigError: no such split, or an impossible `subset` or `limit`.
    """
    if split != "train" and "{split}" not in folder:
        raise ConfigError(f"class_folders has no split {split!r}; it has only 'train', all files, unless `folder` says")
    below = folder.replace("{split}", split)
    if (root / below / "images").is_dir() and "images" not in space.classes:
        below = f"{below}/images".lstrip("/")
    top = root / below
    files = find_files(root, below, PICTURES)
    read_ids = _FolderId(top, space.classes)
    images = {key: path for key, path in files.items() if read_ids.place(path) is not None}
    problems = _problems(top, space, files, images, read_ids)
    if problems and strict:
        raise DataError(f"{top}: {_summary(problems, space)}; every domain must have the classes of the label space")
    samples, _ = pair(root, images, images if with_labels else None, exclude=exclude, strict=strict)
    places = Selection((), subset, subset_seed, limit).places([sample.key for sample in samples], root)
    samples = tuple(samples[place] for place in places)
    decoder = LabelDecoder(space, dict(enumerate(space.classes)), read_ids)
    dataset = Dataset("class_folders", root, space, samples, read_rgb, decoder, problems)
    ids = np.array([read_ids.place(sample.image) for sample in samples]) if with_labels else None
    return checked(dataset, ids, strict=strict, allow_single_class=allow_single_class)


def _normal(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


@dataclass(frozen=True)
class _FolderId:
    """The class index of a picture below `top`, by the name of its class folder."""

    top: Path
    classes: tuple[str, ...]

    def place(self, path: Path) -> int | None:
        """The class index; `None` for a picture in no folder of a class."""
        parts = path.relative_to(self.top).parts
        name = _normal(parts[0]) if len(parts) > 1 else None
        return next((place for place, each in enumerate(self.classes) if _normal(each) == name), None)

    def __call__(self, path: Path) -> np.ndarray:
        place = self.place(path)
        if place is None:
            raise DataError(f"{path}: lies in no folder of a class of the label space")
        return np.array(place)


def _problems(
    top: Path, space: LabelSpace, files: dict[str, Path], images: dict[str, Path], read_ids: _FolderId
) -> tuple[Problem, ...]:
    """Folders that are no class, classes without pictures, folders of one name, pictures outside all folders."""
    known = {_normal(name): name for name in space.classes}
    folders = sorted(path for path in top.iterdir() if path.is_dir() and not path.name.startswith("."))
    present = {read_ids.place(path) for path in images.values()}
    problems = [Problem("unknown class folder", path) for path in folders if _normal(path.name) not in known]
    problems += [
        Problem("class without pictures", top / name)
        for place, name in enumerate(space.classes)
        if place not in present
    ]
    names = [_normal(path.name) for path in folders]
    problems += [
        Problem("second folder of a class", path)
        for place, path in enumerate(folders)
        if _normal(path.name) in names[:place]
    ]
    problems += [Problem("picture outside class folders", path) for key, path in files.items() if "/" not in key]
    return tuple(problems)


def _summary(problems: tuple[Problem, ...], space: LabelSpace, shown: int = 3) -> str:
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem.file.name)
    found = "; ".join(
        f"{len(names)} x {kind} ({', '.join(names[:shown])}{', ...' if len(names) > shown else ''})"
        for kind, names in kinds.items()
    )
    return f"{found}, but label space {space.name!r} has {space.count} classes"
