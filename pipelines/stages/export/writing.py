"""One process's share of an export: read, translate, judge, hand over to be written."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from pipelines.definition.schema import ComponentConfig, Inputs, Reference, Size
from pipelines.networks import build_task, load_networks, working_size
from pipelines.stages.export.translation import Translate
from segda.data.dataset import Dataset, Sample
from segda.data.decode import image_size
from segda.data.prefetch import Workers
from segda.data.transforms import resize_image, resize_label
from segda.engine import signals
from segda.errors import ArtefactError
from segda.evaluation.evaluate import as_input
from segda.export import agreement
from segda.export.layout import Entry, Layout
from segda.files import is_there

MeasureAgreement = Callable[[np.ndarray, np.ndarray, np.ndarray], agreement.Counts]
"""One image before and after translation, and its label, to what predictions on them have in common."""


class Pair(NamedTuple):
    """One sample as it is translated: image and label, and `(height, width)` of the image that is written."""

    image: np.ndarray
    label: np.ndarray
    size: tuple[int, int]


@dataclass(frozen=True)
class Work:
    """What is to be made of a data set, and how.

    Attributes:
        dataset: opened with labels.
        form: the layout of the files.
        place: where they lie.
        read: a sample's place in the data set to what is translated.
        translate: images of one size, together.
        judge: measures agreement; `None` for none.
        records: where that is kept.
        minimum: the agreement below which an image is not written; `None` writes all.
        group: samples that are written together.
        length: samples that are translated together, at most; groups begin anew.
    """

    dataset: Dataset
    form: Layout
    place: Path
    read: Callable[[int], Pair]
    translate: Translate
    judge: MeasureAgreement | None
    records: agreement.Records
    minimum: float | None
    group: int
    length: int

    @cached_property
    def groups(self) -> list[range]:
        """Places in the data set that are written together; any process may take any of them."""
        count = len(self.dataset)
        return [range(start, min(start + self.group, count)) for start in range(0, count, self.group)]

    def run(self, share: Iterable[int], workers: Workers, progress: Callable[[int], None]) -> None:
        """Write what is not there of every group in a share.

        Args:
            share: numbers of groups.
            workers: decode, encode and write.
            progress: called with the number of samples that are done or on their way.
        """
        groups, done = self.groups, 0
        share = list(share)
        pending = {number for number in share if self._is_missing(number, groups[number])}
        blocks = [block for number in share if number in pending for block in self._blocks(groups[number])]
        pairs = workers.ahead(lambda block: [self.read(place) for place in block], blocks)
        for number in share:
            if number in pending:
                self.form.write(self.place, number, self._entries(groups[number], pairs), workers)
            done += len(groups[number])
            progress(done)

    def kept(self, number: int) -> list[Sample]:
        """The samples of a group that are written, as far as they are judged."""
        samples = [self.dataset.samples[place] for place in self.groups[number]]
        return [sample for sample in samples if not self._is_dropped(sample.key)]

    def _blocks(self, group: range) -> list[range]:
        return [group[start : start + self.length] for start in range(0, len(group), self.length)]

    def _is_dropped(self, key: str) -> bool:
        counts = self.records.counts.get(key)
        return counts is not None and bool(agreement.disagreeing({key: counts}, self.minimum))

    def _is_missing(self, number: int, group: range) -> bool:
        """Whether a group has a file that is not written, or an image that is not judged."""
        keys = [self.dataset.samples[place].key for place in group]
        if self.judge is not None and any(key not in self.records.counts for key in keys):
            return True
        kept = [self.dataset.samples[place] for place in group if not self._is_dropped(self.dataset.samples[place].key)]
        return not all(is_there(self.place / name) for name in self.form.names(number, kept))

    def _entries(self, group: range, pairs: Iterator[list[Pair]]) -> Iterator[Entry]:
        """The samples of a group that are to be written; each is judged before it is handed over."""
        for block in self._blocks(group):
            signals.raise_if_stopped("what is written of the export is kept")
            given = dict(zip(block, next(pairs), strict=True))
            for _, alike in groupby(block, lambda place: given[place].image.shape):  # noqa: B023
                places = list(alike)
                changed = self.translate([given[place].image for place in places], places)
                for place, image in zip(places, changed, strict=True):
                    sample, pair = self.dataset.samples[place], given[place]
                    if self.judge is not None:
                        self.records.add(sample.key, self.judge(pair.image, image, pair.label))
                    if not self._is_dropped(sample.key):
                        yield Entry(sample, resize_image(image, pair.size), pair.label)


def read(dataset: Dataset, resize: Size | None, to_label: bool, place: int) -> Pair:
    """One image and its label at the size that is translated at.

    Args:
        dataset: opened with labels.
        resize: that size; `None` for each image's own.
        to_label: the label stays as it is, and the image that is written gets the size of the label's file; otherwise
            both are written at the size that is translated at.
        place: in the data set.

    Raises:
        ArtefactError: the image has no label, or is no 8-bit picture.
    """
    sample = dataset.samples[place]
    image, label = dataset.read(place)
    if label is None or sample.label is None:
        raise ArtefactError(f"{sample.image}: no label to export beside the image; open a labelled split")
    if image.dtype != np.uint8:
        raise ArtefactError(f"{sample.image}: holds {image.dtype}, which PNG cannot; only 8-bit pictures are exported")
    size = (image.shape[0], image.shape[1])
    if to_label:
        size = image_size(sample.label) if label.ndim else size
    elif resize is not None:
        size, label = resize, resize_label(label, resize)
    return Pair(image if resize is None else resize_image(image, resize), label, size)


def load_agreement_judge(reference: Reference, inputs: Inputs, device: torch.device) -> MeasureAgreement:
    """The judge that a stage's encoder and head make, at the size that they were trained at."""
    manifest = inputs.manifest(reference)
    networks = load_networks(inputs.folder(reference), manifest.config, ("encoder", "head"), device)
    task, resize = build_task(ComponentConfig(**manifest.config["task"])), working_size(manifest)

    @torch.inference_mode()
    def judge(before: np.ndarray, after: np.ndarray, label: np.ndarray) -> agreement.Counts:
        first, second = (
            task.predict(networks, as_input(image, resize).to(device), label.shape, "source")[0].cpu().numpy()
            for image in (before, after)
        )
        return agreement.compare(first, second, label, task.space.count, task.space.ignore_index)

    return judge
