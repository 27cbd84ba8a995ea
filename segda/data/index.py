"""Pair a data set's images with its labels by name, choose among them, and fingerprint the result."""

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import numpy as np
from typing_extensions import Unpack

from segda.data.dataset import Dataset, Problem, Sample
from segda.data.find import Place, find_images, find_labels, is_other_label, longest_beginning, matcher
from segda.data.split_list import listed, refusal
from segda.errors import ConfigError, DataError
from segda.files import sha256
from segda.seeds import derive_seed


class ReaderOptions(TypedDict, total=False):
    """What every reader takes besides its own options.

    Attributes:
        strict: raise on unpaired files, else list them in `Dataset.problems`; true by default.
        exclude: keys to leave out, as shell patterns (`15188`, `troisdorf/*`).
        limit: keep only the first so many samples, in the order of their keys.
    """

    strict: bool
    exclude: tuple[str, ...]
    limit: int | None


class FolderOptions(ReaderOptions, total=False):
    """What every reader of a file for each image takes besides its own options.

    Attributes:
        list: a text file of the images to use, below the root or absolute; `{split}` stands for the split. See
            `segda.data.split_list.listed`.
        include: keys to keep, as shell patterns (`0001TP_*`), each of which must fit an image; all without it.
    """

    list: str | None
    include: tuple[str, ...]


def choose(
    keys: Sequence[str],
    root: Path,
    *,
    exclude: Sequence[str] = (),
    subset: int | None = None,
    subset_seed: int = 0,
    limit: int | None = None,
) -> list[int]:
    """The indices, ascending, of the samples among sorted `keys` that options of `ImageLabelOptions` choose.

    A subset is a random choice of what is not excluded, blind to classes. It depends on its seed and the number of
    samples alone, and a smaller subset of the same seed is part of a larger one.

    Raises:
        ConfigError: `limit` or `subset` is below 1, or `subset` is more than there is.
        DataError: nothing is left.
    """
    _check_limit(limit)
    excluded = matcher(exclude)
    indices = [index for index, key in enumerate(keys) if not excluded(key)]
    if not indices:
        raise DataError(f"{root}: no images found; expected the layout that the data set's config shows")
    if subset is not None:
        if not 1 <= subset <= len(indices):
            raise ConfigError(
                f"subset: {subset}; expected a number of samples from 1 to {len(indices)}, all that {root} has"
            )
        mixed = np.random.default_rng(derive_seed(subset_seed, "subset")).permutation(len(indices))
        indices = [indices[drawn] for drawn in sorted(mixed[:subset])]
    return indices[:limit]


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise ConfigError(f"limit: {limit}; expected a number of samples, at least 1, or none at all")


def find_pairs(
    root: Path,
    images: Place,
    labels: Place,
    split: str,
    with_labels: bool,
    *,
    several_images: bool = False,
    only: Container[str] | None = None,
    **options: Unpack[FolderOptions],
) -> tuple[tuple[Sample, ...], tuple[Problem, ...]]:
    """Find the images and labels of a data set, and pair them.

    Args:
        root: folder that holds the data set.
        images: where the images are.
        labels: where the labels are, which is also where no image is looked for.
        split: put for `{split}` in the name of a list.
        with_labels: pair with labels; otherwise none is looked for.
        several_images: an image's name may go on after its label's, so that one label belongs to several images.
        only: the keys that are part of the data set; `None` for all.
        options: those of every reader.

    Returns:
        The samples, sorted by key, and the problems (none when strict).

    Raises:
        DataError: as `find_images`, `find_labels` and `pair`.
        ConfigError: as `pair`.
    """
    files = find_images(root, images, labels, exclude=options.get("exclude", ()), several=several_images)
    masks = find_labels(root, labels, images) if with_labels else None
    if only is not None:
        files = {key: path for key, path in files.items() if key in only}
        masks = None if masks is None else {key: path for key, path in masks.items() if key in only}
    return pair(root, files, masks, split, several_images=several_images, **options)


def pair(
    root: Path,
    images: Mapping[str, Path],
    labels: Mapping[str, Path] | None,
    split: str = "train",
    *,
    several_images: bool = False,
    check_listed_labels: bool = True,
    **options: Unpack[FolderOptions],
) -> tuple[tuple[Sample, ...], tuple[Problem, ...]]:
    """Pair images with labels, files by key, `None` when labels are not opened.

    A label without image is left out in silence where it is another trainer's of the same image
    (`00001_labelTrainIds.png` beside `00001.png`).

    Args:
        root: folder that holds the data set.
        images: the images.
        labels: the labels.
        split: put for `{split}` in the name of a list.
        several_images: an image's name may go on after its label's.
        check_listed_labels: a second column of a list must have the image's name.
        options: those of every reader.

    Returns:
        The samples, sorted by key, and the problems (none when strict).

    Raises:
        DataError: no image is left, or a pattern of `include` fits none; and when strict, an image without label, a
            label without image, or a line of the list that names no image.
        ConfigError: `limit` is below 1.
    """
    limit, exclude = options.get("limit"), options.get("exclude", ())
    _check_limit(limit)
    problems: list[Problem] = []
    listing = options.get("list")
    if listing is not None:
        check = check_listed_labels and not several_images
        chosen, problems = listed(root, listing, split, images, check_labels=check)
        if problems and options.get("strict", True):
            raise DataError(refusal(problems))
        images = {key: path for key, path in images.items() if key in chosen}
    kept = _kept(root, images, options["include"]) if "include" in options else None
    images = _without(images if kept is None else {key: images[key] for key in kept}, exclude)
    paired = {}
    if labels is not None:
        labels = _without(labels, exclude)
        label_keys = {key: _label_key(key, labels, several_images) for key in images}
        paired = {key: labels[label] for key, label in label_keys.items() if label is not None}
        problems += [Problem("image without label", images[key], key=key) for key in sorted(images.keys() - paired)]
        used = set(label_keys.values())
        problems += [
            Problem("label without image", labels[key], key=key)
            for key in sorted(labels.keys() - used)
            if listing is None and kept is None and not is_other_label(key, labels)
        ]
    if not images and not problems:
        raise DataError(f"{root}: no images found; expected the layout that the data set's config shows")
    if problems and options.get("strict", True):
        hint = _similar(images, labels or {})
        raise DataError(
            f"{root}: {summary(root, problems)}; {hint}complete the download, or name the files in `exclude`"
        )
    keys = sorted(images if labels is None else paired)[:limit]
    samples = tuple(Sample(key, images[key], paired.get(key)) for key in keys)
    return samples, tuple(problems)


def _label_key(image: str, labels: Mapping[str, Path], several_images: bool) -> str | None:
    """The key of an image's label, or `None`."""
    if image in labels:
        return image
    return longest_beginning(image, labels) if several_images else None


def fingerprint(dataset: Dataset, *, strict: bool = True) -> str:
    """SHA-256 over a data set's name, keys and file sizes.

    Labels count only where the data set was opened with labels, so that a stage that must not read them does not
    depend on them either. No file is opened, except archives of many images: two of them are easily of one size, so
    their bytes count (labels included, where one file holds both).

    Raises:
        DataError: when strict, a file has vanished since the data set was indexed; otherwise it will be left out.
    """
    digest = hashlib.sha256(dataset.name.encode())
    archives: dict[str, str | None] = {}
    for sample in dataset.samples:
        files = [sample.image] if sample.label is None else [sample.image, sample.label]
        try:
            content = [_content(file, archives, strict) for file in files]
        except FileNotFoundError as error:
            raise DataError(f"{error.filename}: {_missing(Path(error.filename))}") from error
        except OSError as error:
            raise DataError(
                f"{error.filename}: cannot be read ({error.strerror}); repair the file or its link, or exclude it"
            ) from error
        digest.update(f"\n{sample.key}\0{content}".encode())
    return digest.hexdigest()


def _missing(file: Path) -> str:
    if file.is_symlink():
        return "a link that leads nowhere; repair it or exclude it"
    return "file is missing; it was there when the data set was indexed"


def _content(file: Path, archives: dict[str, str | None], strict: bool) -> int | str:
    """The size of a file; for `<archive>/<number>`, the hash of the archive, which `archives` remembers."""
    parent = os.path.dirname(file)
    if parent not in archives:
        archives[parent] = None
        if os.path.isfile(parent):
            stat = os.stat(parent)
            archives[parent] = _hashed(Path(parent), stat.st_size, stat.st_mtime_ns)
    return archives[parent] or (os.stat(file).st_size if strict or file.is_file() else "missing")


@lru_cache(maxsize=256)
def _hashed(file: Path, size: int, changed: int) -> str:
    """Hashed once a process, unless size or modification time change."""
    return sha256(file)


def _without(files: Mapping[str, Path], patterns: Sequence[str]) -> dict[str, Path]:
    excluded = matcher(patterns)
    return {key: path for key, path in files.items() if not excluded(key)}


def _kept(root: Path, images: Mapping[str, Path], patterns: Sequence[str]) -> list[str]:
    """The keys that `include` keeps."""
    for pattern in patterns:
        fits = matcher([pattern])
        if not any(map(fits, images)):
            some = f", such as {min(images)!r}" if images else ""
            raise DataError(
                f"{root}: include: {pattern!r} fits none of {len(images)} images{some}; correct the pattern"
            )
    included = matcher(patterns)
    return [key for key in images if included(key)]


def _similar(images: Mapping[str, Path], labels: Mapping[str, Path]) -> str:
    """A hint where an unpaired image and an unpaired label differ in case, Unicode form or the end of their names."""
    unpaired = {_folded(key): key for key in sorted(labels.keys() - images.keys())}
    for key in sorted(images.keys() - labels.keys()):
        other = unpaired.get(_folded(key))
        if other is not None:
            same = unicodedata.normalize("NFC", key) == unicodedata.normalize("NFC", other)
            how = "in the form of their Unicode letters (NFC, NFD)" if same else "in upper and lower case"
            return f"{images[key].name} and {labels[other].name} differ only {how}: rename one; or "
    lonely = images.keys() - labels.keys()
    for key in sorted(labels.keys() - images.keys()):
        image = longest_beginning(key, lonely)
        if image is not None:
            ending = labels[key].name[len(_name(image)) :]
            return f"if {labels[key].name} belongs to {images[image].name}, set `label_endings: [{ending}]`; or "
    for key in sorted(labels.keys() - images.keys())[:1]:
        image = max((each for each in lonely if re.search(rf"[\W_]{re.escape(_name(each))}$", key)), default=None)
        if image is not None:
            start, end = _name(key).removesuffix(_name(image)), labels[key].name[len(_name(key)) :]
            return f"if {labels[key].name} belongs to {images[image].name}, set `label_endings: ['{start}*{end}']`; or "
    return ""


def _name(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _folded(key: str) -> str:
    return unicodedata.normalize("NFC", key).casefold()


def summary(root: Path, problems: Sequence[Problem], most: int = 3) -> str:
    """`2 images without label (images/7.png, images/8.png)`, for each kind."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        kinds[problem.kind].append(problem.file.relative_to(root).as_posix())
    return "; ".join(
        f"{len(files)} x {kind} ({', '.join(files[:most])}{', ...' if len(files) > most else ''})"
        for kind, files in kinds.items()
    )
