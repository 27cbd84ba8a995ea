"""A data set that segda exported: translated images with the labels of their originals, in one folder.

Layout: `images/<key>.png` (or `.jpg`, `.webp`), `labels/<key>.png` (8-bit class indices, 255 ignored), and
`dataset.json`: `{"space": name, "classes": [...], "keys": [...]}`. Where a label is one class for the whole image there
is no folder `labels`, but `dataset.json` has `"labels": [class index, ...]`, in the order of `keys`. Where it has
`"files": {path: {"bytes": size, ...}}`, every file must have its size. An export that is not finished has no
`dataset.json`, and is refused.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import Unpack

from segda.data.archive import part
from segda.data.dataset import Dataset, Problem
from segda.data.decode import read_index, read_rgb
from segda.data.find import find_files
from segda.data.image_labels import open_pictures
from segda.data.index import FolderOptions, pair
from segda.data.label_decoder import LabelDecoder
from segda.data.split_list import check_split
from segda.errors import DataError
from segda.files import is_below, leading_out
from segda.label_space import LabelSpace

_ENDINGS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    allow_single_class: bool = False,
    **options: Unpack[FolderOptions],
) -> Dataset:
    """Index an exported data set.

    Args:
        root: the exported folder.
        space: the task's label space, which must be the one of the export.
        split: `train`, all files: an export has no other, unless a `list` names it.
        with_labels: pair with labels; otherwise the label folder is not touched.
        allow_single_class: whether all labels may be of one class, where a label is a whole image's.
        options: those of every reader; missing files count as unpaired ones do.

    Raises:
        DataError: `dataset.json` is missing or damaged, another label space or layout, files that the index names are
            missing or of another size, or lead out of the folder.
        ConfigError: another split than `train`.
    """
    check_split("adapted", split, options.get("list"))
    keys, index = _keys(root, space)
    strict, whole_image = options.get("strict", True), "labels" in index
    images, problems = _listed(root, "images", _ENDINGS.get(str(index.get("format")), ".png"), keys)
    labels = None
    read_ids: Callable[[Path], np.ndarray] = read_index
    files = [*images.values()]
    if with_labels and whole_image:
        classes = part(root, ["dataset.json"], _classes)
        labels = {key: classes.file / str(number) for number, key in enumerate(keys) if key in images}
        read_ids = classes.entry
    elif with_labels:
        labels, missing = _listed(root, "labels", ".png", keys)
        problems += missing
        files += labels.values()
    if problems and strict:
        raise DataError(
            f"{root}: {len(problems)} of the files that dataset.json names are missing, the first {problems[0].file}; "
            "export the data set again"
        )
    linked = leading_out(root, (path.relative_to(root).as_posix() for path in files))
    if linked is not None:
        raise DataError(f"{root / linked}: leads out of {root} by a link; put the file itself there")
    resized = _resized(root, index.get("files") or {}, files)
    if resized and strict:
        raise DataError(f"{resized[0].file}: {resized[0].detail}, as {len(resized)} files; export the data set again")
    ids: dict[int, str | None] = {**dict(enumerate(space.classes)), space.ignore_index: None}
    problems += resized
    if whole_image:
        return open_pictures(
            "adapted", root, space, ids, images, labels, read_ids, tuple(problems),
            split=split, allow_single_class=allow_single_class, **options,
        )  # fmt: skip
    samples, _ = pair(root, images, labels, split, **options)
    return Dataset("adapted", root, space, samples, read_rgb, LabelDecoder(space, ids, read_ids), tuple(problems))


def _keys(root: Path, space: LabelSpace) -> tuple[list[str], dict[str, Any]]:
    """The keys that `dataset.json` lists, and all of its content; its classes are those of `space`."""
    file = root / "dataset.json"
    if not file.is_file():
        begun = "the export is not finished" if (root / "stage.json").is_file() else "that is no finished export"
        raise DataError(f"{file} is missing, so {begun}; run it to its end, or give a finished one as `root`")
    try:
        index: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        name, classes, keys = str(index["space"]), tuple(index["classes"]), [str(key) for key in index["keys"]]
        if "labels" in index and len(index["labels"]) != len(keys):
            raise ValueError(f"{len(index['labels'])} labels for {len(keys)} keys")
        if len(set(keys)) != len(keys):
            raise ValueError("a key occurs twice")
        sizes = [described["bytes"] for described in dict(index.get("files") or {}).values()]
        if not all(isinstance(size, int) for size in sizes):
            raise ValueError("the size of a file is no number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(repr(error).split())[:120]
        raise DataError(f"{file}: damaged ({reason}); export the data set again") from error
    if classes != space.classes:
        raise DataError(
            f"{file}: exported in label space {name!r} ({len(classes)} classes), but the task is in {space.name!r} "
            f"({space.count} classes); export the data set again in that space"
        )
    for key in keys:
        if not is_below(key):
            raise DataError(f"{file}: key {key!r} leads out of the folder; export the data set again")
    layout = index.get("layout", "segda")
    if layout != "segda":
        raise DataError(
            f"{file}: exported with layout {layout!r}, for other readers; open {root / 'data'} with "
            f"{index.get('origin')!r} if that is 'source', or export with layout segda"
        )
    return keys, index


def _listed(root: Path, folder: str, ending: str, keys: list[str]) -> tuple[dict[str, Path], list[Problem]]:
    """The files of a folder that `dataset.json` lists, by key, and those that are missing."""
    there, listed = find_files(root, folder, [ending]), set(keys)
    missing = sorted(listed - there.keys())
    files = {key: path for key, path in there.items() if key in listed}
    return files, [Problem("missing file", root / folder / f"{key}{ending}", key=key) for key in missing]


def _resized(root: Path, files: dict[str, Any], used: list[Path]) -> list[Problem]:
    """Files of another size than `dataset.json` has for them."""
    problems = []
    for path in sorted(used):
        expected = files.get(path.relative_to(root).as_posix())
        if expected is not None and path.stat().st_size != expected["bytes"]:
            detail = f"has {path.stat().st_size} bytes, dataset.json says {expected['bytes']}"
            problems.append(Problem("another size", path, detail))
    return problems


def _classes(file: Path) -> np.ndarray:
    """The class indices of whole images, integers `[N]`."""
    labels = np.asarray(json.loads(file.read_text(encoding="utf-8"))["labels"])
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {labels.dtype} {labels.shape}; expected one class index a key")
    return labels
