"""Packs: same pixels as the files; interrupted and damaged packs."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segda.data.dataset import Dataset
from segda.data.pack import format, reader, writer
from segda.data.resize import resize_image, resize_label
from segda.errors import ArtefactError, DataError

KEY = "k" * 64
SIZE = (3, 4)

Make = Callable[..., Dataset]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of packs; chunks of two samples, so that five samples have three chunks."""
    monkeypatch.setattr(format, "CHUNK_BYTES", 2 * 3 * 4 * 4)
    return tmp_path / "packs" / "tiny"


def write(dataset: Dataset, folder: Path, **options: object) -> Dataset:
    writer.write(dataset, SIZE, folder, {"key": KEY}, workers=2, **options)  # type: ignore[arg-type]
    return reader.open_pack(folder, dataset)


def same(packed: Dataset, dataset: Dataset) -> None:
    """Every sample equals the decoded and resized files."""
    assert [sample.key for sample in packed.samples] == [sample.key for sample in dataset.samples]
    for index in range(len(dataset)):
        image, label = dataset.read(index)
        entry, classes = packed.read(index)
        np.testing.assert_array_equal(entry, resize_image(image, SIZE))
        assert (label is None) == (classes is None)
        if label is not None and classes is not None:
            np.testing.assert_array_equal(classes, resize_label(label, SIZE))


class Counted:
    """An image decoder that counts its calls and fails at one of them."""

    def __init__(self, dataset: Dataset, fatal: int = 0) -> None:
        self.decode, self.fatal, self.calls = dataset.decode_image, fatal, list[str]()

    def __call__(self, path: Path) -> np.ndarray:
        self.calls.append(path.stem)
        if len(self.calls) == self.fatal:
            raise KeyboardInterrupt
        return self.decode(path)


def corrupt(file: Path, index: int) -> None:
    content = bytearray(file.read_bytes())
    content[index] ^= 1
    file.write_bytes(content)


@pytest.mark.promise("pack-pixels")
@pytest.mark.parametrize("labels", [True, False])
def test_pixels_are_those_of_the_files(make_dataset: Make, folder: Path, labels: bool) -> None:
    dataset = make_dataset(labels=labels)
    packed = write(dataset, folder)
    same(packed, dataset)
    names = {"pack.json", "images.npy", "labels.npy"} if labels else {"pack.json", "images.npy"}
    assert {file.name for file in folder.iterdir()} == names
    assert np.load(folder / "images.npy").shape == (5, 3, 4, 3)
    assert len(json.loads((folder / "pack.json").read_text())["chunks"]) == 3
    assert not writer.partial(folder).exists()
    assert format.is_there(folder, KEY)


def test_a_sample_is_a_view_of_the_mapped_file_that_cannot_be_written(make_dataset: Make, folder: Path) -> None:
    packed = write(make_dataset(), folder)
    image, label = packed.read(4)
    assert isinstance(packed.decode_image, reader.Mapped)
    assert np.shares_memory(image, packed.decode_image.array)
    assert label is not None
    assert not image.flags.writeable
    assert not label.flags.writeable
    assert len(pickle.dumps(packed)) < 5000, "another process maps the file instead of receiving it"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(packed)).read(4)[0], image)


def test_one_class_for_the_whole_image(make_dataset: Make, folder: Path) -> None:
    dataset = make_dataset()
    dataset = replace(dataset, decode_label=lambda path: np.array(int(path.stem), np.uint8))
    packed = write(dataset, folder)
    assert [int(packed.read(index)[1]) for index in range(5)] == [0, 1, 2, 3, 4]  # type: ignore[arg-type]
    assert packed.read(0)[1].shape == ()  # type: ignore[union-attr]


@pytest.mark.promise("pack-resumes")
@pytest.mark.parametrize("fatal", [2, 4, 6])
def test_an_interrupted_packing_goes_on_where_it_stopped(make_dataset: Make, folder: Path, fatal: int) -> None:
    """Call 1 reads the size; then chunks of two samples follow in order."""
    dataset = make_dataset()
    with pytest.raises(KeyboardInterrupt):
        writer.write(replace(dataset, decode_image=Counted(dataset, fatal)), SIZE, folder, {"key": KEY}, workers=1)
    assert not folder.exists()
    assert not format.is_there(folder, KEY)
    with (writer.partial(folder) / "chunks.jsonl").open("a") as file:
        file.write('{"chunk": 2, "sha')  # as left by a killed process
    again = Counted(dataset)
    same(write(replace(dataset, decode_image=again), folder), dataset)
    written = (fatal - 2) // 2 * 2
    assert sorted(again.calls[1 : 6 - written]) == [f"{number:02d}" for number in range(written, 5)]


@pytest.mark.promise("pack-resumes")
def test_chunks_of_an_interrupted_packing_are_checked(make_dataset: Make, folder: Path) -> None:
    dataset = make_dataset()
    with pytest.raises(KeyboardInterrupt):
        writer.write(replace(dataset, decode_image=Counted(dataset, 6)), SIZE, folder, {"key": KEY}, workers=1)
    corrupt(writer.partial(folder) / "labels.npy", 128)
    again = Counted(dataset)
    same(write(replace(dataset, decode_image=again), folder), dataset)
    assert "00" in again.calls[1:]
    assert "02" not in again.calls[:4], "the second chunk was complete"


@pytest.mark.promise("damaged-pack")
@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_a_damaged_chunk_is_found_and_made_again_alone(make_dataset: Make, folder: Path, name: str) -> None:
    dataset = make_dataset()
    write(dataset, folder)
    corrupt(folder / name, (folder / name).stat().st_size - 1)
    assert not format.is_there(folder, KEY)
    assert format.damaged(folder, 2) == [2]
    again = Counted(dataset)
    same(write(replace(dataset, decode_image=again), folder), dataset)
    assert again.calls[:2] == ["00", "04"], "one for the size, then the last chunk"
    assert format.is_there(folder, KEY)


def test_a_pack_that_was_copied_is_looked_at_once(make_dataset: Make, folder: Path) -> None:
    write(make_dataset(), folder)
    (folder / "images.npy").touch()
    assert not format.is_there(folder, KEY)
    assert format.damaged(folder, 2) == []
    assert format.is_there(folder, KEY)


@pytest.mark.promise("damaged-pack")
@pytest.mark.parametrize("harm", ["short", "no array", "no list", "other list", "text"])
def test_a_pack_that_is_not_whole_is_none(make_dataset: Make, folder: Path, harm: str) -> None:
    dataset = make_dataset()
    write(dataset, folder)
    listed = folder / "pack.json"
    if harm == "short":
        (folder / "labels.npy").write_bytes((folder / "labels.npy").read_bytes()[:-1])
    elif harm == "no array":
        (folder / "images.npy").unlink()
    elif harm == "no list":
        listed.unlink()
    elif harm == "other list":
        listed.write_text(listed.read_text().replace('"chunks": [\n  "', '"chunks": [\n  "0'))
    else:
        listed.write_text("{")
    assert not format.is_there(folder, KEY)
    assert format.damaged(folder, 2) in ([0, 1, 2], None)
    same(write(dataset, folder), dataset)


def test_the_pack_of_another_key_is_not_touched(make_dataset: Make, folder: Path) -> None:
    write(make_dataset(), folder)
    with pytest.raises(ArtefactError, match="another key .* move it away"):
        format.is_there(folder, "k" * 8 + "x" * 56)


def test_sizes_that_differ_need_a_resize(
    make_dataset: Make, folder: Path, write_image: Callable[..., np.ndarray]
) -> None:
    dataset = make_dataset(labels=False)
    write_image(dataset.samples[3].image, 7, 8)
    with pytest.raises(DataError, match=r"03.png: 7x8 .* first image of the set is 6x8; .* `resize`"):
        writer.write(dataset, None, folder, {"key": KEY}, workers=2)
    same(write(dataset, folder), dataset)


def test_images_of_other_than_8_bits_are_refused(make_dataset: Make, folder: Path) -> None:
    dataset = replace(make_dataset(), decode_image=lambda path: np.zeros((6, 8, 3), np.float32))
    with pytest.raises(writer.NotPicturesError, match="float32"):
        write(dataset, folder)
    assert not folder.exists()


def test_a_disk_that_refuses_is_one_error_and_what_is_written_is_kept(
    make_dataset: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, opening = make_dataset(), Path.open
    refused = []

    def opened(path: Path, mode: str = "r", *arguments: object, **options: object) -> object:
        if mode == "r+b" and len(refused) >= 2:
            raise OSError(28, "No space left on device", str(path))
        refused.append(path) if mode == "r+b" else None
        return opening(path, mode, *arguments, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(ArtefactError, match="No space left on device.*free space.*where it stopped"):
            writer.write(dataset, SIZE, folder, {"key": KEY}, workers=1)
    again = Counted(dataset)
    same(write(replace(dataset, decode_image=again), folder), dataset)
    assert again.calls[1] == "02"
