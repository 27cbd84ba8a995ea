"""Which samples of a data set cannot be read, found by reading all of them once; and the data set without them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from segda.data.dataset import Dataset, Problem
from segda.data.prefetch import in_order
from segda.errors import DataError

#: Problems of single files, beside which the rest of a data set is as good as ever.
OF_ONE_FILE = (
    "image without label", "label without image", "missing file", "another size", "picture outside class folders",
)  # fmt: skip


class Skipped(NamedTuple):
    """A file that was left out: its sample's key, as far as that is known; its path below the root; and why."""

    key: str
    file: str
    reason: str


def check_problems(dataset: Dataset) -> None:
    """Refuse what leaving out single files does not mend.

    Raises:
        DataError: classes without pictures, labels of one class alone, and the like.
    """
    for problem in dataset.problems:
        if problem.kind not in OF_ONE_FILE:
            detail = f" ({problem.detail})" if problem.detail else ""
            raise DataError(f"{problem.file}: {problem.kind}{detail}; no file is at fault that could be left out")


def find(dataset: Dataset, *, workers: int = 2, progress: Callable[[int], None] = lambda done: None) -> list[Skipped]:
    """Read every sample, and name those that cannot be read, by key; before them, files without a partner.

    Args:
        dataset: opened with `strict=False`, so that files without a partner are listed.
        workers: decoding threads.
        progress: called with the number of samples read.
    """
    at_fault = {problem.file: problem for problem in dataset.problems}
    kept = {file for sample in dataset.samples for file in (sample.image, sample.label)}
    found = [
        Skipped(problem.key, _below(problem.file, dataset.root), _said(problem))
        for problem in dataset.problems
        if problem.file not in kept
    ]
    places = range(len(dataset))
    looked = in_order(lambda place: _look(dataset, place, at_fault), places, workers=workers, ahead=4 * workers)
    for done, skipped in enumerate(looked, start=1):
        if skipped is not None:
            found.append(skipped)
        progress(done)
    return found


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


def _look(dataset: Dataset, place: int, at_fault: dict[Path, Problem]) -> Skipped | None:
    sample = dataset.samples[place]
    for file in (sample.image, sample.label):
        if file in at_fault:
            return Skipped(sample.key, _below(file, dataset.root), _said(at_fault[file]))
    try:
        dataset.read(place)
    except DataError as error:
        file = sample.image if sample.label is None or str(error).startswith(f"{sample.image}:") else sample.label
        reason = str(error).removeprefix(f"{file}: ").replace(f"{dataset.root}/", "")
        return Skipped(sample.key, _below(file, dataset.root), " ".join(reason.split()))
    return None


def _below(file: Path, root: Path) -> str:
    """A path that says the same on every machine."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _said(problem: Problem) -> str:
    return f"{problem.kind}: {problem.detail}" if problem.detail else problem.kind
