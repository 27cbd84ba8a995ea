"""Layouts of many images a file: Parquet as Hugging Face `datasets` reads it, and WebDataset's tar archives."""

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segda.data.dataset import Sample
from segda.data.prefetch import Workers
from segda.errors import ConfigError
from segda.export.layout import Entry, Layout
from segda.export.picture import Picture, decode, encode_label
from segda.files import is_there, write_whole


class EncodedSample(NamedTuple):
    """One sample as a shard holds it: key, the image's file, and the label's file or class index."""

    key: str
    image: bytes
    label: bytes | int


@dataclass(frozen=True)
class Shards(Layout):
    """Files in `data/` that hold `group` samples each, `total` in all, Parquet or else tar.

    One whose samples were all dropped is not written.
    """

    picture: Picture
    group: int
    total: int
    parquet: bool

    def names(self, number: int, samples: Sequence[Sample]) -> list[str]:
        """The one file of a group."""
        return [self._name(number)] if samples else []

    def _name(self, number: int) -> str:
        return f"train-{number:05d}-of-{self.total:05d}.parquet" if self.parquet else f"train-{number:05d}.tar"

    def write(self, root: Path, number: int, entries: Iterable[Entry], workers: Workers) -> None:
        """Encode every entry in a job of its own, then pack them in one more, which waits for them."""
        samples = [workers.call(self._encode, entry) for entry in entries]
        if samples:
            workers.submit(self._pack, root / self._name(number), samples)

    def _encode(self, entry: Entry) -> EncodedSample:
        label = encode_label(entry.label) if entry.label.ndim else int(entry.label)
        return EncodedSample(entry.sample.key, self.picture.encode(entry.image), label)

    def _pack(self, path: Path, samples: Sequence["Future[EncodedSample]"]) -> None:
        if not is_there(path):
            pack: Callable[[list[EncodedSample], str], bytes] = parquet_file if self.parquet else tar_file
            write_whole(path, pack([future.result() for future in samples], self.picture.ending))


def tar_file(samples: Sequence[EncodedSample], ending: str) -> bytes:
    """One shard of WebDataset: `<key>.image.<ending>`, `<key>.label.png` (or `<key>.cls`) and `<key>.json`.

    WebDataset ends a sample's name at its first dot; dots in keys become `_`, and `<key>.json` holds the key itself.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for key, image, label in samples:
            name = shard_key(key)
            parts = {f"image{ending}": image}
            parts |= {"cls": str(label).encode()} if isinstance(label, int) else {"label.png": label}
            parts["json"] = json.dumps({"key": key}).encode()
            for part, content in parts.items():
                # Owner, time and mode stay as a new TarInfo has them, so that a shard's bytes depend on its samples.
                member = tarfile.TarInfo(f"{name}.{part}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def shard_key(key: str) -> str:
    """A key as WebDataset takes it."""
    return key.replace(".", "_")


def check_keys(keys: Iterable[str]) -> None:
    """Refuse keys that WebDataset would take for one sample.

    Raises:
        ConfigError: two keys differ only in their dots.
    """
    first: dict[str, str] = {}
    for key in keys:
        other = first.setdefault(shard_key(key), key)
        if other != key:
            raise ConfigError(
                f"layout: webdataset: keys {other!r} and {key!r} are both {shard_key(key)!r} there; use another layout"
            )


def parquet_file(samples: Sequence[EncodedSample], ending: str) -> bytes:
    """One Parquet file with columns `key`, `image` and `label`, whose types `datasets` reads from its metadata.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    pyarrow, parquet = require_pyarrow()
    picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    maps = not isinstance(samples[0].label, int)
    features = {
        "key": {"dtype": "string", "_type": "Value"},
        "image": {"_type": "Image"},
        "label": {"_type": "Image"} if maps else {"dtype": "int64", "_type": "Value"},
    }
    schema = pyarrow.schema(
        [("key", pyarrow.string()), ("image", picture), ("label", picture if maps else pyarrow.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    table = pyarrow.Table.from_pydict(
        {
            "key": [each.key for each in samples],
            "image": [{"bytes": each.image, "path": f"{each.key}{ending}"} for each in samples],
            "label": [{"bytes": e.label, "path": f"{e.key}.png"} if maps else e.label for e in samples],
        },
        schema=schema,
    )
    buffer = io.BytesIO()
    # Compression makes encoded pictures no smaller.
    parquet.write_table(table, buffer, compression="none")
    return buffer.getvalue()


def image_in(path: Path, key: str) -> np.ndarray | None:
    """The image of one sample of a shard, uint8 RGB `[H, W, 3]`; `None` where the shard does not hold it."""
    content = (_from_parquet if path.suffix == ".parquet" else _from_tar)(path, key)
    return None if content is None else decode(content)


def _from_tar(path: Path, key: str) -> bytes | None:
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            if member.name.startswith(f"{shard_key(key)}.image."):
                file = archive.extractfile(member)
                return None if file is None else file.read()
    return None


def _from_parquet(path: Path, key: str) -> bytes | None:
    _, parquet = require_pyarrow()
    rows = parquet.read_table(path, columns=["image"], filters=[("key", "==", key)]).to_pylist()
    return rows[0]["image"]["bytes"] if rows else None


def require_pyarrow() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError("layout: parquet needs pyarrow; run `pip install pyarrow`, or use another layout") from error
    return pyarrow, parquet
