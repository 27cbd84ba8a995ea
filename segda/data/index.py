"""Find the files of a data set, pair images with labels by name, and fingerprint the result."""

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import numpy as np

from segda.config.lookup import nearest_of
from segda.data.dataset import Dataset, Problem, Sample
from segda.errors import ConfigError, DataError
from segda.files import sha256
from segda.seeds import derive_seed

PICTURES = (".png", ".jpg", ".jpeg")


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
    excluded = _matcher(exclude)
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


def check_root(root: Path) -> None:
    """Raise a DataError if a data set's root is missing."""
    if not root.is_dir():
        raise DataError(
            f"data root {root} is missing; set SEGDA_DATA to the folder that holds the data sets, or give `root`"
        )


def find_files(root: Path, folder: str, endings: Sequence[str]) -> dict[str, Path]:
    """All files below `root/folder`, hidden ones left out, with an ending such as `_leftImg8bit.png` in any case.

    Links to folders are followed.

    Returns:
        Path below the folder without its ending (`aachen/aachen_000000_000019`) to file.

    Raises:
        DataError: root or folder is missing, two files differ in their ending alone, a name cannot be written down, a
            link leads back to a folder that it lies in, or a folder cannot be read.
    """
    check_root(root)
    top = root / folder
    if not top.is_dir():
        raise DataError(
            f"folder {folder!r} is missing below {root}; {_nearest_folder(root, folder)}the layout needs it, see the "
            "data set's config"
        )
    files: dict[str, Path] = {}
    for parent, folders, names in os.walk(top, followlinks=True, onerror=_unreadable):
        here = Path(parent)
        _check_links(here, folders)
        # Keys are joined as text: making a path of each would take as long as listing it.
        before = "" if here == top else f"{here.relative_to(top).as_posix()}/"
        for name in names:
            ending = next((end for end in endings if name.lower().endswith(end.lower())), None)
            if ending is None or name.startswith("."):
                continue
            path, key = here / name, before + name[: -len(ending)]
            _check_name(key, path)
            if key in files:
                raise DataError(f"{path} and {files[key].name} have the same name but for the ending; keep one of them")
            files[key] = path
    return files


def _nearest_folder(root: Path, folder: str) -> str:
    """A suggestion for the first part of a path that is missing, such as a misspelt split; nothing if none is near."""
    here = root
    for part in Path(folder).parts:
        if not (here / part).is_dir():
            near = nearest_of(part, [child.name for child in here.iterdir() if child.is_dir()])
            return "" if near is None else f"did you mean {(here / near).relative_to(root).as_posix()!r}? "
        here /= part
    return ""


def _check_links(parent: Path, folders: Sequence[str]) -> None:
    """Refuse links to a folder that they lie in, through which the search would go round and round."""
    for name in folders:
        link = parent / name
        if not link.is_symlink():
            continue
        # Through other links, too: the folders on the way here need not be those that the link really lies in.
        real, through = link.resolve(), [folder.resolve() for folder in (parent, *parent.parents)]
        if parent.resolve().is_relative_to(real) or real in through:
            raise DataError(f"{link}: a link that leads back to {real}, which it lies in; remove the link")


def _check_name(key: str, path: Path) -> None:
    """Refuse names with control characters or bytes that are no UTF-8, which no list, message or page can show."""
    if not key.isprintable() and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in key):
        what = "a line break" if "\n" in key else "a control character"
        if any("\ud800" <= letter <= "\udfff" for letter in key):
            what = "bytes that are no UTF-8"
        raise DataError(f"{path.parent}: the name {path.name!r} holds {what}; rename the file")


def _unreadable(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror}); repair its permissions") from error


def pair(
    root: Path,
    images: Mapping[str, Path],
    labels: Mapping[str, Path] | None,
    *,
    exclude: Sequence[str] = (),
    limit: int | None = None,
    strict: bool = True,
) -> tuple[tuple[Sample, ...], tuple[Problem, ...]]:
    """Pair images with labels, files by key, `None` when labels are not opened; options as in `ReaderOptions`.

    Returns:
        The samples, sorted by key, and the problems (none when strict).

    Raises:
        DataError: no image is left; and when strict, an image without label or a label without image.
        ConfigError: `limit` is below 1.
    """
    _check_limit(limit)
    images = _without(images, exclude)
    problems: list[Problem] = []
    if labels is not None:
        labels = _without(labels, exclude)
        unpaired = sorted(images.keys() - labels.keys())
        problems += [Problem("image without label", images[key], key=key) for key in unpaired]
        unpaired = sorted(labels.keys() - images.keys())
        problems += [Problem("label without image", labels[key], key=key) for key in unpaired]
    if not images and not problems:
        raise DataError(f"{root}: no images found; expected the layout that the data set's config shows")
    if problems and strict:
        hint = _similar(images, labels or {})
        raise DataError(
            f"{root}: {summary(root, problems)}; {hint}complete the download, or name the files in `exclude`"
        )
    keys = sorted(images if labels is None else images.keys() & labels.keys())[:limit]
    samples = tuple(Sample(key, images[key], None if labels is None else labels[key]) for key in keys)
    return samples, tuple(problems)


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


def _matcher(patterns: Sequence[str]) -> Callable[[str], object]:
    """Whether a key matches one of some shell patterns, as one regular expression, since sets have many keys."""
    return re.compile("|".join(map(translate, patterns)) if patterns else r"(?!)").match


def _without(files: Mapping[str, Path], patterns: Sequence[str]) -> dict[str, Path]:
    excluded = _matcher(patterns)
    return {key: path for key, path in files.items() if not excluded(key)}


def _similar(images: Mapping[str, Path], labels: Mapping[str, Path]) -> str:
    """A hint where an unpaired image and an unpaired label have names that differ in case or Unicode form alone."""
    unpaired = {_folded(key): key for key in sorted(labels.keys() - images.keys())}
    for key in sorted(images.keys() - labels.keys()):
        other = unpaired.get(_folded(key))
        if other is not None:
            same = unicodedata.normalize("NFC", key) == unicodedata.normalize("NFC", other)
            how = "in the form of their Unicode letters (NFC, NFD)" if same else "in upper and lower case"
            return f"{images[key].name} and {labels[other].name} differ only {how}: rename one; or "
    return ""


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
