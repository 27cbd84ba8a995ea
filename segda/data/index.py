"""Find the files of a data set, pair images with labels by name, and fingerprint the result."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from segda.data.dataset import Dataset, Problem, Sample
from segda.errors import ConfigError, DataError

PICTURES = (".png", ".jpg", ".jpeg")


def find_files(root: Path, folder: str, endings: Sequence[str]) -> dict[str, Path]:
    """All files below `root/folder` with one of the endings, hidden files left out.

    Args:
        root: the data set's root.
        folder: the folder to search, below `root`; links to folders are followed.
        endings: what a name must end in, such as `_leftImg8bit.png`; upper or lower case.

    Returns:
        Path below the folder without its ending (`aachen/aachen_000000_000019`) to file.

    Raises:
        DataError: root or folder is missing, or two files differ in their ending alone.
    """
    if not root.is_dir():
        raise DataError(
            f"data root {root} is missing; set SEGDA_DATA to the folder that holds the data sets, or give `root`"
        )
    top = root / folder
    if not top.is_dir():
        raise DataError(f"folder {folder!r} is missing below {root}; the layout needs it, see the data set's config")
    files: dict[str, Path] = {}
    for parent, _, names in os.walk(top, followlinks=True):
        for name in names:
            ending = next((end for end in endings if name.lower().endswith(end.lower())), None)
            if ending is None or name.startswith("."):
                continue
            path = Path(parent, name)
            key = path.relative_to(top).as_posix()[: -len(ending)]
            if key in files:
                raise DataError(f"{path} and {files[key].name} have the same name but for the ending; keep one of them")
            files[key] = path
    return files


def pair(
    root: Path,
    images: Mapping[str, Path],
    labels: Mapping[str, Path] | None,
    *,
    exclude: Sequence[str] = (),
    limit: int | None = None,
    strict: bool = True,
) -> tuple[tuple[Sample, ...], tuple[Problem, ...]]:
    """Pair images with labels by key.

    Args:
        root: the data set's root, for messages.
        images: key to image file.
        labels: key to label file; `None` when labels are not opened.
        exclude: keys to leave out, as shell patterns (`15188`, `troisdorf/*`).
        limit: keep only the first so many pairs, in the order of their keys.
        strict: raise on unpaired files; otherwise leave them out and return them as problems.

    Returns:
        The samples, sorted by key, and the problems (none when strict).

    Raises:
        DataError: no image is left; and when strict, an image without label or a label without image.
        ConfigError: `limit` is below 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit: {limit}; expected a number of samples, at least 1, or none at all")
    images = _without(images, exclude)
    problems: list[Problem] = []
    if labels is not None:
        labels = _without(labels, exclude)
        problems += [Problem("image without label", images[key]) for key in sorted(images.keys() - labels.keys())]
        problems += [Problem("label without image", labels[key]) for key in sorted(labels.keys() - images.keys())]
    if not images and not problems:
        raise DataError(f"{root}: no images found; expected the layout that the data set's config shows")
    if problems and strict:
        raise DataError(f"{root}: {_summary(root, problems)}; complete the download, or name the files in `exclude`")
    keys = sorted(images if labels is None else images.keys() & labels.keys())[:limit]
    samples = tuple(Sample(key, images[key], None if labels is None else labels[key]) for key in keys)
    return samples, tuple(problems)


def fingerprint(dataset: Dataset) -> str:
    """A name for a data set's content: sha256 over its name, keys and file sizes.

    Labels count only where the data set was opened with labels, so that a stage that must not read them does not
    depend on them either. No file is opened.

    Raises:
        DataError: a file has vanished since the data set was indexed.
    """
    digest = hashlib.sha256(dataset.name.encode())
    for sample in dataset.samples:
        files = [sample.image] if sample.label is None else [sample.image, sample.label]
        try:
            sizes = [file.stat().st_size for file in files]
        except OSError as error:
            raise DataError(f"{error.filename}: file is missing; it was there when the data set was indexed") from error
        digest.update(f"\n{sample.key}\0{sizes}".encode())
    return digest.hexdigest()


def _without(files: Mapping[str, Path], patterns: Sequence[str]) -> dict[str, Path]:
    return {key: path for key, path in files.items() if not any(fnmatchcase(key, each) for each in patterns)}


def _summary(root: Path, problems: Sequence[Problem], shown: int = 3) -> str:
    """`2 images without label (images/7.png, images/8.png)`, for each kind."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        kinds[problem.kind].append(problem.file.relative_to(root).as_posix())
    return "; ".join(
        f"{len(files)} x {kind} ({', '.join(files[:shown])}{', ...' if len(files) > shown else ''})"
        for kind, files in kinds.items()
    )
