"""One process's share of an export: read, translate, measure agreement, write."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipelines.definition.schema import Size
from pipelines.stages.export.translation import Translate
from segda.data.dataset import Dataset, Sample
from segda.data.decode import image_size
from segda.data.prefetch import Workers
from segda.data.resize import resize_image, resize_label
from segda.engine import signals
from segda.errors import ArtefactError
from segda.evaluation.batching import batched
from segda.evaluation.predict import Predictor
from segda.export import agreement
from segda.export.layout import Entry, Layout
from segda.files import is_there


class Pair(NamedTuple):
    """A sample at the size of translation: image and label, and `(height, width)` of the image that is written."""

    image: np.ndarray
    label: np.ndarray
    size: tuple[int, int]


@dataclass(frozen=True)
class Work:
    """The work that all processes share.

    Attributes:
        dataset: opened with labels.
        layout: of the files.
        folder: that they are written to.
        read: index of a sample to what is translated.
        translate: images of one size, together.
        judge: the frozen classifier that measures agreement; `None` for none.
        records: agreement so far.
        minimum: the agreement below which an image is not written; `None` writes all.
        ignore_lost: whether labels ignore the pixels that the judge recognises before translation and not after it.
        group_size: samples that are written together.
        block_size: samples that are translated together, at most; blocks end with their group.
    """

    dataset: Dataset
    layout: Layout
    folder: Path
    read: Callable[[int], Pair]
    translate: Translate
    judge: Predictor | None
    records: agreement.Records
    minimum: float | None
    ignore_lost: bool
    group_size: int
    block_size: int

    @cached_property
    def groups(self) -> list[range]:
        """Indices of samples that are written together; any process may take any group."""
        return _parts(range(len(self.dataset)), self.group_size)

    def run(self, share: Iterable[int], workers: Workers, progress: Callable[[int], None]) -> None:
        """Write what is missing of the groups with the numbers in `share`; `progress` gets the number of samples."""

        def write(number: int, entries: Iterator[Entry]) -> None:
            self.layout.write(self.folder, number, entries, workers)

        self._each(share, self._is_missing, write, workers, progress)

    def judge_all(self, share: Iterable[int], workers: Workers, progress: Callable[[int], None]) -> None:
        """Measure the agreement of the groups with the numbers in `share` where it is missing; write no image."""
        self._each(share, self._is_unjudged, lambda number, entries: deque(entries, maxlen=0), workers, progress)

    def _each(
        self,
        share: Iterable[int],
        is_pending: Callable[[int], bool],
        work: Callable[[int, Iterator[Entry]], Any],
        workers: Workers,
        progress: Callable[[int], None],
    ) -> None:
        """Translate the groups that are pending, and call `work` with the number and the entries of each."""
        done, share = 0, list(share)
        pending = {number for number in share if is_pending(number)}
        blocks = [
            block for number in share if number in pending for block in _parts(self.groups[number], self.block_size)
        ]
        pairs = workers.ahead(lambda block: [self.read(index) for index in block], blocks)
        for number in share:
            if number in pending:
                work(number, self._entries(self.groups[number], pairs))
            done += len(self.groups[number])
            progress(done)

    def written(self, number: int) -> list[Sample]:
        """The samples of a group that are not dropped, as far as agreement is measured."""
        samples = [self.dataset.samples[index] for index in self.groups[number]]
        return [sample for sample in samples if not self._is_dropped(sample.key)]

    def _is_dropped(self, key: str) -> bool:
        counts = self.records.counts.get(key)
        return counts is not None and bool(agreement.disagreeing({key: counts}, self.minimum))

    def _is_missing(self, number: int) -> bool:
        """Whether a file of a group is not written, or the agreement of an image not measured."""
        return self._is_unjudged(number) or not all(
            is_there(self.folder / name) for name in self.layout.names(number, self.written(number))
        )

    def _is_unjudged(self, number: int) -> bool:
        """Whether there is a judge and the agreement of an image of a group is not measured."""
        keys = (self.dataset.samples[index].key for index in self.groups[number])
        return self.judge is not None and any(key not in self.records.counts for key in keys)

    def _entries(self, group: range, pairs: Iterator[list[Pair]]) -> Iterator[Entry]:
        """The samples of a group that are written; agreement is measured first."""
        for block in _parts(group, self.block_size):
            signals.raise_if_stopped("what is written of the export is kept")
            for batch in batched(zip(block, next(pairs), strict=True), _image_shape, self.block_size):
                images = self.translate(
                    [pair.image for _, pair in batch],
                    [pair.label for _, pair in batch],
                    [index for index, _ in batch],
                )
                for (index, pair), image in zip(batch, images, strict=True):
                    sample = self.dataset.samples[index]
                    label = pair.label if self.judge is None else self._judged(self.judge, sample.key, pair, image)
                    if not self._is_dropped(sample.key):
                        yield Entry(sample, resize_image(image, pair.size), label)

    def _judged(self, judge: Predictor, key: str, pair: Pair, translated: np.ndarray) -> np.ndarray:
        """The label that is written, after the agreement is recorded where it was not."""
        if key in self.records.counts and not self.ignore_lost:
            return pair.label
        before, after = (judge.predict(image, pair.label.shape, "source") for image in (pair.image, translated))
        space = judge.task.space
        if key not in self.records.counts:
            self.records.add(key, agreement.compare(before, after, pair.label, space.count, space.ignore_index))
        if not self.ignore_lost:
            return pair.label
        return np.where(agreement.is_lost(before, after, pair.label), space.ignore_index, pair.label).astype(np.uint8)


def _parts(indices: range, size: int) -> list[range]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def _image_shape(indexed: tuple[int, Pair]) -> tuple[int, ...]:
    return indexed[1].image.shape


def read(dataset: Dataset, resize: Size | None, to_label: bool, index: int) -> Pair:
    """An image and its label at the size of translation, `resize`; `None` for each image's own.

    With `to_label`, the label stays as it is, and the image is written at the size of the label's file.

    Raises:
        ArtefactError: the image has no label, or is not of 8 bits.
    """
    sample = dataset.samples[index]
    image, label = dataset.read(index)
    if label is None or sample.label is None:
        raise ArtefactError(f"{sample.image}: no label to export with the image; open a labelled split")
    if image.dtype != np.uint8:
        raise ArtefactError(f"{sample.image}: found {image.dtype}; only 8-bit images can be exported, use such a set")
    size = (image.shape[0], image.shape[1])
    if to_label and label.ndim:
        stored = image_size(sample.label)
        size = stored[::-1] if label.shape == stored[::-1] else stored  # where an EXIF tag turned the label
    elif not to_label and resize is not None:
        size, label = resize, resize_label(label, resize)
    return Pair(image if resize is None else resize_image(image, resize), label, size)
