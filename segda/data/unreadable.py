"""The samples of a data set that cannot be read, found by reading all of them once; and the data set without them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from segda.data.dataset import Dataset, Problem
from segda.data.prefetch import in_order
from segda.errors import DataError

#: Problems of single files, which leave the rest of a data set usable.
OF_ONE_FILE = (
    "image without label", "label without image", "missing file", "another size", "picture outside class folders",
    "listed, but missing", "listed twice",
)  # fmt: skip


class Skipped(NamedTuple):
    """A file that is left out: its sample's key, if it has one; its path below the root; and the reason."""

    key: str
    file: str
    reason: str


def check_problems(dataset: Dataset) -> None:
    """Refuse problems that remain when single files are left out.

    Raises:
        DataError: classes without pictures, labels of one class alone, and the like.
    """
    for problem in dataset.problems:
        if problem.kind not in OF_ONE_FILE:
            detail = f" ({problem.detail})" if problem.detail else ""
            raise DataError(f"{problem.file}: {problem.kind}{detail}; leaving out single files does not help")


def find(dataset: Dataset, *, workers: int = 2, progress: Callable[[int], None] = lambda done: None) -> list[Skipped]:
    """Read every sample; those that cannot be read, by key, after the files without a partner.

    Such files are listed in a data set opened with `strict=False`. `progress` gets the number of samples read.
    """
    problems = {problem.file: problem for problem in dataset.problems}
    used = {file for sample in dataset.samples for file in (sample.image, sample.label)}
    skipped = [
        Skipped(problem.key, _below(problem.file, dataset.root), _reason(problem))
        for problem in dataset.problems
        if problem.file not in used
    ]
    indices = range(len(dataset))
    read = in_order(lambda index: _read(dataset, index, problems), indices, workers=workers, ahead=4 * workers)
    for done, unreadable in enumerate(read, start=1):
        skipped += [unreadable] if unreadable is not None else []
        progress(done)
    return skipped


def without(dataset: Dataset, keys: Iterable[str]) -> Dataset:
    """The data set without the samples of some keys, in the same order.

    Raises:
        DataError: nothing is left.
    """
    left_out = set(keys)
    samples = tuple(sample for sample in dataset.samples if sample.key not in left_out)
    if not samples:
        raise DataError(
            f"{dataset.root}: none of {len(dataset)} samples can be read, so nothing is left; see them all: segda check"
        )
    return replace(dataset, samples=samples)


def _read(dataset: Dataset, index: int, problems: dict[Path, Problem]) -> Skipped | None:
    sample = dataset.samples[index]
    for file in (sample.image, sample.label):
        if file in problems:
            return Skipped(sample.key, _below(file, dataset.root), _reason(problems[file]))
    try:
        dataset.read(index)
    except DataError as error:
        file = sample.image if sample.label is None or str(error).startswith(f"{sample.image}:") else sample.label
        reason = str(error).removeprefix(f"{file}: ").replace(f"{dataset.root}/", "")
        return Skipped(sample.key, _below(file, dataset.root), " ".join(reason.split()))
    return None


def _below(file: Path, root: Path) -> str:
    """A path that is the same on every machine."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _reason(problem: Problem) -> str:
    return f"{problem.kind}: {problem.detail}" if problem.detail else problem.kind
