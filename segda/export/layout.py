"""Layouts of a file an image: segda's own, the source's, and the image folder of Hugging Face `datasets`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from segda.data.dataset import Dataset, Sample
from segda.data.prefetch import Workers
from segda.errors import ConfigError
from segda.export.picture import Picture, encode_label, format_of
from segda.files import is_there, link_whole, write_whole

DATA = "data"
UNFINISHED = "data.partial"


class Entry(NamedTuple):
    """One sample of an export: its origin, its image (uint8 RGB `[H, W, 3]`) and label (class indices)."""

    sample: Sample
    image: np.ndarray
    label: np.ndarray


class Layout:
    """Where the files of an export lie and what they hold.

    Attributes:
        folder: the folder below the stage's that holds them all; it has another name until all are there. `None` where
            they lie in the stage's own.
        group: how many samples share a file; `None` where each has its own.
    """

    folder: ClassVar[str | None] = DATA
    group: int | None

    def names(self, number: int, samples: Sequence[Sample]) -> list[str]:
        """The files of one group of samples, relative to `folder`, with `/`."""
        raise NotImplementedError

    def write(self, root: Path, number: int, entries: Iterable[Entry], workers: Workers) -> None:
        """Write the missing files of a group below `root`; the workers encode and write, here one job an entry."""
        for entry in entries:
            workers.submit(self._write, root, entry)

    def _write(self, root: Path, entry: Entry) -> None:
        raise NotImplementedError

    def complete(self, root: Path, samples: Sequence[Sample], classes: Mapping[str, int]) -> list[str]:
        """Write the files that concern all samples, here none, and return their names.

        `classes` has key to class index where labels are of whole images, and is else empty.
        """
        return []


@dataclass(frozen=True)
class Segda(Layout):
    """`images/<key>`, and `labels/<key>.png` with class indices; `segda/data/readers/adapted.py` reads it.

    Where labels are of whole images, no `maps`, `dataset.json` holds them.
    """

    picture: Picture
    maps: bool
    folder: ClassVar[str | None] = None
    group = None

    def image(self, sample: Sample) -> str:
        """The path of its image."""
        return f"images/{sample.key}{self.picture.ending}"

    def label(self, sample: Sample) -> str:
        """The path of its label."""
        return f"labels/{sample.key}.png"

    def names(self, number: int, samples: Sequence[Sample]) -> list[str]:
        """Image and label of each sample."""
        kinds = (self.image, self.label) if self.maps else (self.image,)
        return [kind(sample) for sample in samples for kind in kinds]

    def _write(self, root: Path, entry: Entry) -> None:
        label, image = root / self.label(entry.sample), root / self.image(entry.sample)
        if self.maps and not is_there(label):
            write_whole(label, encode_label(entry.label), durable=False)
        if not is_there(image):
            write_whole(image, self.picture.encode(entry.image), durable=False)


@dataclass(frozen=True)
class ImageFolder(Segda):
    """The same, with `metadata.jsonl`: `datasets.load_dataset("imagefolder", data_dir=…)` reads it."""

    folder = DATA

    def complete(self, root: Path, samples: Sequence[Sample], classes: Mapping[str, int]) -> list[str]:
        """A line for each image: its file, its key, and its label's file or class index."""
        lines = []
        for sample in samples:
            label = {"label_file_name": self.label(sample)} if self.maps else {"label": classes[sample.key]}
            lines.append(json.dumps({"image_file_name": self.image(sample), "key": sample.key, **label}))
        write_whole(root / "metadata.jsonl", "".join(f"{line}\n" for line in lines).encode())
        return ["metadata.jsonl"]


@dataclass(frozen=True)
class Source(Layout):
    """The source's own: the same relative paths, its label files byte for byte.

    Attributes:
        root: the source's folder.
        quality: of images whose names end as JPEG does.
        hard_link: whether labels are hard-linked to the source's where that is possible, not copied.
        extra: other files of the source that its reader needs, such as `split.mat`.
    """

    root: Path
    quality: int
    hard_link: bool
    extra: tuple[str, ...] = ()
    group = None

    def names(self, number: int, samples: Sequence[Sample]) -> list[str]:
        """Image and label file of each sample, as the source calls them."""
        return [
            path.relative_to(self.root).as_posix()
            for sample in samples for path in (sample.image, self._label_file(sample)) if path is not None
        ]  # fmt: skip

    def _write(self, root: Path, entry: Entry) -> None:
        label, image = self._label_file(entry.sample), root / entry.sample.image.relative_to(self.root)
        if label is not None:
            self._link(root, label.relative_to(self.root))
        if not is_there(image):
            form = format_of(image)
            assert form is not None  # see `check_source`
            write_whole(image, Picture(form, self.quality).encode(entry.image), durable=False)

    def _link(self, root: Path, name: str | Path) -> None:
        if not is_there(root / name):
            link_whole(self.root / name, root / name, hard_link=self.hard_link)

    def _label_file(self, sample: Sample) -> Path | None:
        return sample.label if sample.label is not None and sample.label != sample.image else None

    def complete(self, root: Path, samples: Sequence[Sample], classes: Mapping[str, int]) -> list[str]:
        """The extra files, linked or copied."""
        for name in self.extra:
            self._link(root, name)
        return list(self.extra)


def check_source(dataset: Dataset, form: str | None) -> None:
    """Refuse a source whose own layout cannot be written.

    Raises:
        ConfigError: the images are parts of archives, or of a format that cannot be written or is not the config's.
    """
    for sample in dataset.samples:
        if sample.image.parent.is_file():
            raise ConfigError(
                f"layout: source: {dataset.name} keeps its images in the archive {sample.image.parent}; "
                "use layout: segda, huggingface, parquet or webdataset"
            )
        own = format_of(sample.image)
        if own is None:
            raise ConfigError(f"layout: source: {sample.image} is neither PNG, JPEG nor WebP; use layout: segda")
        if form is not None and form != own:
            raise ConfigError(
                f"format: {form}: with layout: source the images keep their names, and {sample.image.name} is "
                f"{own}; leave `format` out, or use layout: segda"
            )
