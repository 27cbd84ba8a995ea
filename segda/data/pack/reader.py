"""A packed data set, read: views of arrays that are mapped into memory, one copy for all processes."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from segda.data.dataset import Dataset, Sample
from segda.data.pack import format
from segda.errors import ArtefactError


def open_pack(folder: Path, dataset: Dataset) -> Dataset:
    """The data set that was packed, with samples read from its pack: `read` returns views of the mapped arrays.

    Raises:
        ArtefactError: there is no pack, or it is of another number of samples.
    """
    content = format.content(folder)
    labelled = any(sample.label is not None for sample in dataset.samples)
    if content is None or content["number"] != len(dataset) or (format.LABELS in content["arrays"]) != labelled:
        raise ArtefactError(f"{folder}: is no pack of the {len(dataset)} samples of {dataset.root}; move it away")
    images, labels = folder / format.IMAGES, folder / format.LABELS
    samples = tuple(
        Sample(sample.key, images / str(index), None if sample.label is None else labels / str(index))
        for index, sample in enumerate(dataset.samples)
    )
    return replace(dataset, samples=samples, decode_image=Mapped(images), decode_label=Mapped(labels), problems=())


@dataclass(frozen=True)
class Mapped:
    """Decodes `<array>/<number>` to entry `number` of an array; the file is mapped at the first call."""

    file: Path

    @cached_property
    def array(self) -> np.ndarray:
        """All entries, uint8 `[N, ...]`, read-only."""
        return np.asarray(np.load(self.file, mmap_mode="r", allow_pickle=False))

    def __call__(self, path: Path) -> np.ndarray:
        """One entry; its pages are read when they are used."""
        entry: np.ndarray = self.array[int(path.name), ...]
        return entry

    def __reduce__(self) -> tuple[type["Mapped"], tuple[Path]]:
        """Another process maps the file itself; its content is not sent."""
        return Mapped, (self.file,)
