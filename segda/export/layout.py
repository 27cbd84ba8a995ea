"""Layouts of a file an image: segda's own, the source's, and the image folder of Hugging Face `datasets`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from segda.data.dataset import Dataset, Sample
from segda.errors import ConfigError
from segda.export.picture import Picture, encode_label, format_of
from segda.export.workers import Workers
from segda.files import is_there, link_whole, write_whole

DATA = "data"
UNFINISHED = "data.partial"


class Entry(NamedTuple):
    """One sample of an export: where it comes from, its image (uint8 RGB `[H, W, 3]`) and label (class indices)."""

    sample: Sample
    image: np.ndarray
    label: np.ndarray


class Layout(Protocol):
    """Where the files of an export lie and what they hold."""

    @property
    def folder(self) -> str | None:
        """The folder that holds them all below the stage's, `None` where they lie in the stage's own.

        Such a folder has its name when all files are there, and before that another one.
        """
        ...

    @property
    def group(self) -> int | None:
        """How many samples share a file; `None` where each has its own."""
        ...

    def names(self, number: int, samples: Sequence[Sample]) -> list[str]:
        """The files of one group of samples, below `folder`, with `/`."""
        ...

    def write(self, place: Path, number: int, entries: Iterable[Entry], workers: Workers) -> None:
        """Write what is not there yet of a group's files below `place`; encoding and writing are left to workers."""
        ...

    def complete(self, place: Path, samples: Sequence[Sample], classes: Mapping[str, int]) -> list[str]:
        """Write the files that concern all samples, and return their names.

        Args:
            place: where the files lie.
            samples: all that are kept.
            classes: key to class index where labels are of whole images, else empty.
        """
        ...


@dataclass(frozen=True)
class Segda:
    """`images/<key>`, and `labels/<key>.png` with class indices; `segda/data/readers/adapted.py` reads it.

    Attributes:
        picture: how images are encoded.
        maps: whether labels are maps; those of whole images stand in `dataset.json`.
    """

    picture: Picture
    maps: bool
    folder: str | None = None
    group: int | None = None

    def image(self, sample: Sample) -> str:
        """Where its image lies."""
        return f"images/{sample.key}{self.picture.ending}"

    def label(self, sample: Sample) -> str:
        """Where its label lies."""
        return f"labels/{sample.key}.png"

    def names(self, number: int, samples: Sequence[Sample]) -> list[str]:
        """Image and label of each sample."""
        kinds = (self.image, self.label) if self.maps else (self.image,)
        return [kind(sample) for sample in samples for kind in kinds]

    def write(self, place: Path, number: int, entries: Iterable[Entry], workers: Workers) -> None:
        """Label and image of each entry, one job."""
        for entry in entries:
            workers.submit(self._write, place, entry)

    def _write(self, place: Path, entry: Entry) -> None:
        label, image = place / self.label(entry.sample), place / self.image(entry.sample)
        if self.maps and not is_there(label):
            write_whole(label, encode_label(entry.label), durable=False)
        if not is_there(image):
            write_whole(image, self.picture.encode(entry.image), durable=False)

    def complete(self, place: Path, samples: Sequence[Sample], classes: Mapping[str, int]) -> list[str]:
        """Nothing: `dataset.json` says it all."""
        return []


@dataclass(frozen=True)
class ImageFolder(Segda):
    """The same, with `metadata.jsonl`: `datasets.load_dataset("imagefolder", data_dir=…)` reads it."""

    folder: str | None = DATA

    def complete(self, place: Path, samples: Sequence[Sample], classes: Mapping[str, int]) -> list[str]:
        """A line for each image: its file, its key, and its label's file or class index."""
        lines = []
        for sample in samples:
            label = {"label_file_name": self.label(sample)} if self.maps else {"label": classes[sample.key]}
            lines.append(json.dumps({"image_file_name": self.image(sample), "key": sample.key, **label}))
        write_whole(place / "metadata.jsonl", "".join(f"{line}\n" for line in lines).encode())
        return ["metadata.jsonl"]


@dataclass(frozen=True)
class Source:
    """The source's own: the same relative paths, its label files byte for byte.

    Attributes:
        root: the source's folder.
        quality: of images whose names end as JPEG does.
        hard_link: whether labels are hard-linked to the source's where that is possible, not copied.
        beside: files of the source that its reader needs besides, such as `split.mat`.
    """

    root: Path
    quality: int
    hard_link: bool
    beside: tuple[str, ...] = ()
    folder: str | None = DATA
    group: int | None = None

    def names(self, number: int, samples: Sequence[Sample]) -> list[str]:
        """Image and label file of each sample, as the source calls them."""
        return [
            path.relative_to(self.root).as_posix()
            for sample in samples for path in (sample.image, self._label_file(sample)) if path is not None
        ]  # fmt: skip

    def write(self, place: Path, number: int, entries: Iterable[Entry], workers: Workers) -> None:
        """Label and image of each entry, one job."""
        for entry in entries:
            workers.submit(self._write, place, entry)

    def _write(self, place: Path, entry: Entry) -> None:
        label, image = self._label_file(entry.sample), place / entry.sample.image.relative_to(self.root)
        if label is not None and not is_there(place / label.relative_to(self.root)):
            link_whole(label, place / label.relative_to(self.root), hard_link=self.hard_link)
        if not is_there(image):
            kept = format_of(image)
            assert kept is not None  # see `check_source`
            write_whole(image, Picture(kept, self.quality).encode(entry.image), durable=False)

    def _label_file(self, sample: Sample) -> Path | None:
        return sample.label if sample.label is not None and sample.label != sample.image else None

    def complete(self, place: Path, samples: Sequence[Sample], classes: Mapping[str, int]) -> list[str]:
        """What lies beside, linked or copied."""
        for name in self.beside:
            if not is_there(place / name):
                link_whole(self.root / name, place / name, hard_link=self.hard_link)
        return list(self.beside)


def check_source(dataset: Dataset, wanted: str | None) -> None:
    """Refuse a source whose own layout cannot be written.

    Args:
        dataset: the source.
        wanted: the format that the config asks for, if any.

    Raises:
        ConfigError: the images are parts of archives, are of no format that can be written, or of another than wanted.
    """
    for sample in dataset.samples:
        if sample.image.parent.is_file():
            raise ConfigError(
                f"layout: source: {dataset.name} keeps its images in the archive {sample.image.parent}; "
                "use layout: segda, huggingface, parquet or webdataset"
            )
        found = format_of(sample.image)
        if found is None:
            raise ConfigError(f"layout: source: {sample.image} is neither PNG, JPEG nor WebP; use layout: segda")
        if wanted is not None and wanted != found:
            raise ConfigError(
                f"format: {wanted}: with layout: source the images keep their names, and {sample.image.name} is "
                f"{found}; leave `format` out, or use layout: segda"
            )
