"""The two data sets on disk: layouts, resuming, and no repeated scenes."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segda.demo.streets import ids
from segda.demo.streets.write import draw, write
from segda.errors import DataError

SIZE = (48, 96)
COUNTS = {"rendered": 4, "camera_train": 4, "camera_val": 3}


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, including hidden ones, with a digest of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streets")
    write(folder, **COUNTS, size=SIZE, seed=7)
    return folder


def test_rendered_has_the_layout_of_gta5(written: Path) -> None:
    names = [f"{number:05d}.png" for number in range(1, 5)]
    assert sorted(path.name for path in (written / "rendered" / "images").iterdir()) == names
    assert sorted(path.name for path in (written / "rendered" / "labels").iterdir()) == names


def test_camera_has_the_layout_of_cityscapes(written: Path) -> None:
    for split, count in (("train", 4), ("val", 3)):
        images = sorted((written / "camera" / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"))
        assert len(images) == count
        for image in images:
            city = image.parent.name
            stem = image.name.removesuffix("_leftImg8bit.png")
            assert stem.startswith(f"{city}_000000_")
            assert (written / "camera" / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png").is_file()


def test_every_picture_and_label_has_the_configured_size(written: Path) -> None:
    for path in written.rglob("*.png"):
        assert Image.open(path).size == (SIZE[1], SIZE[0]), path


def test_palette_png_keeps_raw_ids_and_shows_cityscapes_colours(written: Path) -> None:
    label = Image.open(written / "rendered" / "labels" / "00002.png")
    assert label.mode == "P"
    _, expected = draw("rendered", "train", 1, SIZE, 7)
    np.testing.assert_array_equal(np.array(label), expected)
    colours = np.array(label.convert("RGB"))
    np.testing.assert_array_equal(colours, ids.PALETTE[expected])
    assert tuple(colours[expected == ids.ROAD][0]) == (128, 64, 128)


def test_camera_pictures_are_stored_in_rgb_order(written: Path) -> None:
    expected, ids_of_pixels = draw("camera", "val", 0, SIZE, 7)
    root = written / "camera"
    np.testing.assert_array_equal(
        np.array(Image.open(root / "leftImg8bit/val/delmont/delmont_000000_000001_leftImg8bit.png")), expected
    )
    stored = Image.open(root / "gtFine/val/delmont/delmont_000000_000001_gtFine_labelIds.png")
    assert stored.mode == "L"
    np.testing.assert_array_equal(np.array(stored), ids_of_pixels)


def test_same_settings_give_the_same_bytes_and_another_seed_does_not(written: Path, tmp_path: Path) -> None:
    write(tmp_path / "again", **COUNTS, size=SIZE, seed=7)
    assert tree(tmp_path / "again") == tree(written)
    write(tmp_path / "other", **COUNTS, size=SIZE, seed=8)
    pictures = {name: digest for name, digest in tree(tmp_path / "other").items() if name.endswith(".png")}
    assert pictures.keys() == {name for name in tree(written) if name.endswith(".png")}
    assert not set(pictures.values()) & set(tree(written).values())


def test_a_stopped_writer_resumes_to_the_same_tree(written: Path, tmp_path: Path, monkeypatch) -> None:
    replace, calls = os.replace, []

    def stop_at_tenth(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 10:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop_at_tenth)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, **COUNTS, size=SIZE, seed=7)
    monkeypatch.undo()
    # The temporary file of the interrupted write remains and may be incomplete.
    (partial,) = tmp_path.rglob("*.partial")
    partial.write_bytes(partial.read_bytes()[:10])
    assert 0 < len(tree(tmp_path)) < len(tree(written))
    write(tmp_path, **COUNTS, size=SIZE, seed=7)
    assert tree(tmp_path) == tree(written)


@pytest.mark.promise("written-files-kept")
def test_only_missing_and_empty_files_are_written_again(written: Path, tmp_path: Path) -> None:
    """A power failure may leave empty files, since images are not flushed individually."""
    write(tmp_path, **COUNTS, size=SIZE, seed=7)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    missing, empty = tmp_path / "rendered/labels/00003.png", tmp_path / "rendered/images/00002.png"
    missing.unlink()
    empty.write_bytes(b"")
    write(tmp_path, **COUNTS, size=SIZE, seed=7)
    assert tree(tmp_path) == tree(written)
    assert {path for path, time in before.items() if path.stat().st_mtime_ns != time} == {missing, empty}


def test_no_scene_repeats_within_or_between_splits() -> None:
    digests = [
        hashlib.sha256(draw(domain, split, index, SIZE, 7)[part].tobytes()).hexdigest()
        for domain, split in (("rendered", "train"), ("camera", "train"), ("camera", "val"))
        for index in range(8)
        for part in (0, 1)
    ]
    assert len(set(digests)) == len(digests)


def test_a_picture_does_not_depend_on_how_many_are_written(written: Path, tmp_path: Path) -> None:
    write(tmp_path, rendered=1, camera_train=2, camera_val=0, size=SIZE, seed=7)
    few, many = tree(tmp_path), tree(written)
    assert all(many[name] == digest for name, digest in few.items() if name.endswith(".png"))


def test_a_folder_of_other_settings_is_refused(written: Path) -> None:
    with pytest.raises(
        DataError, match=r"streets\.json: found .*'seed': 7.*expected .*'seed': 9.*choose another folder"
    ):
        write(written, **COUNTS, size=SIZE, seed=9)
    assert json.loads((written / "streets.json").read_text())["seed"] == 7


@pytest.mark.parametrize(("size", "rendered"), [((16, 96), 1), ((48, 96), -1)])
def test_impossible_settings_are_refused(tmp_path: Path, size: tuple[int, int], rendered: int) -> None:
    with pytest.raises(DataError, match="streets: size"):
        write(tmp_path, rendered=rendered, camera_train=0, camera_val=0, size=size, seed=0)
    assert not tree(tmp_path)
