"""A data set that segda exported: translated images with the labels of their originals, in one folder.

Layout: `images/<key>.png`, `labels/<key>.png` (8-bit class indices, 255 ignored), and
`dataset.json`: `{"space": name, "classes": [...], "keys": [...]}`.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from segda.data.dataset import Dataset, Problem
from segda.data.decode import read_index, read_rgb
from segda.data.index import find_files, pair
from segda.data.label_decoder import LabelDecoder
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    strict: bool = True,
    exclude: tuple[str, ...] = (),
    limit: int | None = None,
) -> Dataset:
    """Index an exported data set.

    Args:
        root: the exported folder.
        space: the task's label space, which must be the one of the export.
        split: `train`, all files: an export has no other.
        with_labels: pair with labels; otherwise the label folder is not touched.
        strict: raise on missing files, else list them in `Dataset.problems`.
        exclude: keys to leave out, as shell patterns.
        limit: keep the first so many samples.

    Raises:
        DataError: `dataset.json` is missing or damaged, another label space, files that the index names are missing.
        ConfigError: another split than `train`.
    """
    if split != "train":
        raise ConfigError(f"adapted has no split {split!r}; it has only 'train', all its files")
    keys = _keys(root, space)
    images = _listed(find_files(root, "images", [".png"]), keys)
    labels = _listed(find_files(root, "labels", [".png"]), keys) if with_labels else None
    lost = [Problem("missing file", root / "images" / f"{key}.png") for key in sorted(keys - images.keys())]
    if labels is not None:
        lost += [Problem("missing file", root / "labels" / f"{key}.png") for key in sorted(keys - labels.keys())]
    if lost and strict:
        raise DataError(
            f"{root}: {len(lost)} of the files that dataset.json names are missing, the first {lost[0].file}; "
            "export the data set again"
        )
    samples, _ = pair(root, images, labels, exclude=exclude, limit=limit, strict=strict)
    ids: dict[int, str | None] = {**dict(enumerate(space.classes)), space.ignore_index: None}
    return Dataset("adapted", root, space, samples, read_rgb, LabelDecoder(space, ids, read_index), tuple(lost))


def _keys(root: Path, space: LabelSpace) -> set[str]:
    """The keys that `dataset.json` lists, after a check that it speaks of the same classes."""
    file = root / "dataset.json"
    if not file.is_file():
        raise DataError(f"{file} is missing; give the folder of a finished export as `root`")
    try:
        index: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        name, classes, keys = str(index["space"]), tuple(index["classes"]), {str(key) for key in index["keys"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: damaged ({error!r}); export the data set again") from error
    if (name, classes) != (space.name, space.classes):
        raise DataError(
            f"{file}: exported in label space {name!r} ({len(classes)} classes), but the task is in {space.name!r} "
            f"({space.count} classes); export the data set again in that space"
        )
    for key in keys:
        if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
            raise DataError(f"{file}: key {key!r} leads out of the folder; export the data set again")
    return keys


def _listed(files: dict[str, Path], keys: set[str]) -> dict[str, Path]:
    return {key: path for key, path in files.items() if key in keys}
