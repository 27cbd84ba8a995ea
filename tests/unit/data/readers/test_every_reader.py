"""What all readers share: pairing, missing folders, opening without labels, workers."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from segda.config.lookup import names
from segda.data.dataset import Dataset
from segda.data.readers import acdc, adapted, camvid, carla, cityscapes, folder, gta5, idd, synthia
from segda.errors import ConfigError, DataError
from segda.label_space import load

CITYSCAPES = load("cityscapes")


class Layout(NamedTuple):
    reader: ModuleType
    image: str
    label: str
    channels: int = 1
    options: dict[str, Any] = {}


LAYOUTS = {
    "gta5": Layout(gta5, "images/{}.png", "labels/{}.png"),
    "synthia": Layout(synthia, "RGB/{}.png", "GT/LABELS/{}.png", channels=3),
    "cityscapes": Layout(
        cityscapes, "leftImg8bit/train/ulm/{}_leftImg8bit.png", "gtFine/train/ulm/{}_gtFine_labelIds.png"
    ),
    "acdc": Layout(acdc, "rgb_anon/night/train/GOPR1/{}_rgb_anon.png", "gt/night/train/GOPR1/{}_gt_labelTrainIds.png"),
    "idd": Layout(idd, "leftImg8bit/train/001/{}_leftImg8bit.jpg", "gtFine/train/001/{}_gtFine_labellevel3Ids.png"),
    "carla": Layout(carla, "CameraRGB/{}.jpg", "CameraSeg/{}.png", channels=3),
    "camvid": Layout(camvid, "train/{}.png", "trainannot/{}.png"),
    "folder": Layout(folder, "images/train/{}.jpg", "labels/train/{}.png", options={"classes": {0: "sky"}}),
    "adapted": Layout(adapted, "images/{}.png", "labels/{}.png"),
}


#: Readers whose label is one class for the whole image; what holds for them is in `test_whole_image_readers`.
WHOLE_IMAGE = ("mnist", "usps", "svhn", "arrays", "points", "mnist_m", "class_folders")


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tmp_path: Path, write_image: Callable) -> Layout:
    layout = LAYOUTS[request.param]
    for key in "abc":
        write_image(tmp_path / layout.image.format(key), 4, 5)
        label = tmp_path / layout.label.format(key)
        label.parent.mkdir(parents=True, exist_ok=True)
        shape = (4, 5) if layout.channels == 1 else (4, 5, layout.channels)
        assert cv2.imwrite(str(label), np.zeros(shape, dtype=np.uint8))
    index = {"space": "cityscapes", "classes": list(CITYSCAPES.classes), "keys": ["a", "b", "c"]}
    (tmp_path / "dataset.json").write_text(json.dumps(index))
    return layout


def build(layout: Layout, root: Path, **options: Any) -> Dataset:
    return layout.reader.build(root, CITYSCAPES, **layout.options, **options)


def test_every_reader_is_covered() -> None:
    assert sorted([*LAYOUTS, *WHOLE_IMAGE]) == names("segda.data.readers")


def test_pairs_and_pickles_for_worker_processes(layout: Layout, tmp_path: Path) -> None:
    data = pickle.loads(pickle.dumps(build(layout, tmp_path)))
    assert [sample.key[-1] for sample in data.samples] == ["a", "b", "c"]
    image, label = data.read(0)
    assert image.shape == (4, 5, 3)
    assert label is not None
    assert label.shape == (4, 5)
    assert data.problems == ()


def test_limit_and_exclude(layout: Layout, tmp_path: Path) -> None:
    assert len(build(layout, tmp_path, limit=2)) == 2
    assert [sample.key[-1] for sample in build(layout, tmp_path, exclude=("*b",)).samples] == ["a", "c"]
    with pytest.raises(ConfigError, match="limit: 0"):
        build(layout, tmp_path, limit=0)


@pytest.mark.parametrize("with_labels", [True, False])
def test_a_list_names_the_images_of_any_split(layout: Layout, tmp_path: Path, with_labels: bool) -> None:
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbf# two\r\n" + layout.image.format("c").encode() + b"\r\na\r\n")
    (tmp_path / layout.label.format("b")).unlink()
    data = build(layout, tmp_path, list="{split}.txt", with_labels=with_labels, strict=layout.reader is not adapted)
    assert [sample.key[-1] for sample in data.samples] == ["a", "c"]
    with pytest.raises(DataError, match=r"list .*missing\.txt is missing"):
        build(layout, tmp_path, list="missing.txt", with_labels=False)


def test_a_set_of_one_split_has_those_that_a_list_names(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("b\n")
    if "train" in layout.image:
        return
    assert len(build(layout, tmp_path, split="val", list="{split}.txt")) == 1
    with pytest.raises(ConfigError, match=r"has no split 'val'.*`list: lists/\{split\}\.txt`"):
        build(layout, tmp_path, split="val")


def test_without_labels_the_label_folder_is_not_needed(layout: Layout, tmp_path: Path) -> None:
    shutil.rmtree((tmp_path / layout.label).parent)
    data = build(layout, tmp_path, with_labels=False)
    assert [sample.label for sample in data.samples] == [None, None, None]
    assert data.read(0)[1] is None


def test_labels_deleted_is_an_error_where_they_are_wanted(layout: Layout, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / Path(layout.label).parts[0])
    with pytest.raises(DataError, match="is missing below"):
        build(layout, tmp_path)


@pytest.mark.promise("readers-refuse", "unfinished-export")
@pytest.mark.parametrize(("gone", "kind"), [("label", "image without label"), ("image", "label without image")])
def test_an_unpaired_file(layout: Layout, tmp_path: Path, gone: str, kind: str) -> None:
    (tmp_path / getattr(layout, gone).format("b")).unlink()
    with pytest.raises(DataError, match=rf"1 x {kind} \(.*b.*\)|1 of the files .*b\.png"):
        build(layout, tmp_path)
    loose = build(layout, tmp_path, strict=False)
    assert len(loose) == 2
    assert len(loose.problems) == 1


def test_missing_root_and_empty_split(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.* is missing"):
        build(layout, tmp_path / "nowhere")
    with pytest.raises(DataError, match="no images found"):
        build(layout, tmp_path, exclude=("*",))


@pytest.mark.promise("readers-refuse")
def test_sizes_that_differ(layout: Layout, tmp_path: Path, write_image: Callable) -> None:
    write_image(tmp_path / layout.image.format("a"), 4, 6)
    with pytest.raises(DataError, match="label is 4x5 .* is 4x6"):
        build(layout, tmp_path).read(0)


@pytest.mark.promise("readers-refuse")
@pytest.mark.parametrize("which", ["image", "label"])
def test_a_truncated_file_is_named(layout: Layout, tmp_path: Path, which: str) -> None:
    file = tmp_path / getattr(layout, which).format("a")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"{file.name}: not a readable image") as raised:
        build(layout, tmp_path).read(0)
    assert "\n" not in str(raised.value)


@pytest.mark.promise("readers-refuse")
def test_nothing_is_written(layout: Layout, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}
    build(layout, tmp_path).read(0)
    assert {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))} == before
