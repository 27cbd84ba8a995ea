"""Which way up, which bands, which values. The picture of these tests is red above and blue below, 4x2 upright."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segda.data.check import check
from segda.data.dataset import Dataset
from segda.data.decode import read_index, read_rgb
from segda.data.pictures import Pictures
from segda.data.readers import folder
from segda.errors import ConfigError, DataError
from segda.label_space import load
from tests.unit.data.test_tiff import EIGHT, tiff

HIGH, WIDE = np.zeros((16, 8), np.uint8), np.zeros((8, 16), np.uint8)
HIGH[:8] = WIDE[:4] = 1  # the sky, above
# The stored pixels are what these make of the upright ones (EXIF 2.32, 4.6.4).
STORED = {
    1: lambda up: up, 2: np.fliplr, 3: lambda up: np.rot90(up, 2), 4: np.flipud, 5: lambda up: up.swapaxes(0, 1),
    6: np.rot90, 7: lambda up: np.rot90(up, 2).swapaxes(0, 1), 8: lambda up: np.rot90(up, -1),
}  # fmt: skip
CLASSES = {0: "road", 1: "sky"}


def coloured(label: np.ndarray) -> np.ndarray:
    """RGB: red where the label is 1, else blue; with a green column on the left, so that mirrors show."""
    picture = np.where(label[:, :, None] == 1, np.array([250, 0, 0]), np.array([0, 0, 250])).astype(np.uint8)
    picture[:, : label.shape[1] // 2, 1] = 250
    return picture


def save(path: Path, pixels: np.ndarray, tag: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if tag is not None:
        exif[0x0112] = tag
    options = {"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {}
    options |= {"lossless": True} if path.suffix == ".webp" else {}
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif, **options)


def opened(root: Path, *, labels: bool = True, image: str = ".jpg", label: str = ".png", **options: object) -> Dataset:
    return folder.build(
        root, load("cityscapes"), "train", labels, classes=CLASSES, images="images", labels="labels",
        image_endings=(image,), label_endings=(label,), **options,
    )  # fmt: skip


def write(root: Path, label: np.ndarray, tag: int, *, drawn: str, ending: str = ".jpg") -> None:
    """A picture stored lying, and the label as drawn on the upright picture or on the stored pixels."""
    save(root / f"images/a{ending}", STORED[tag](coloured(label)), tag)
    save(root / "labels/a.png", label if drawn == "upright" else STORED[tag](label), None)


def agree(dataset: Dataset) -> bool:
    image, label = dataset.read(0)
    assert label is not None
    sky = load("cityscapes").classes.index("sky")
    return image.shape[:2] == label.shape and bool(((image[:, :, 0] > 125) == (label == sky)).all())


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_pictures_are_read_upright(tmp_path: Path, tag: int, ending: str) -> None:
    save(tmp_path / f"a{ending}", STORED[tag](coloured(HIGH)), tag)
    read = read_rgb(tmp_path / f"a{ending}")
    assert read.shape == (16, 8, 3)
    assert np.abs(read.astype(int) - coloured(HIGH)).max() < 30
    stored = Pictures("as_stored")(tmp_path / f"a{ending}")
    assert np.abs(stored.astype(int) - STORED[tag](coloured(HIGH))).max() < 30


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("drawn", ["upright", "stored"])
@pytest.mark.parametrize("tag", [5, 6, 7, 8])
def test_a_quarter_turn_is_read_the_way_that_fits_the_label(tmp_path: Path, tag: int, drawn: str, ending: str) -> None:
    write(tmp_path, HIGH, tag, drawn=drawn, ending=ending)
    dataset = opened(tmp_path, image=ending)
    assert agree(dataset)
    assert dataset.read(0)[0].shape == ((16, 8, 3) if drawn == "upright" else (8, 16, 3))


@pytest.mark.parametrize(("tag", "label"), [(2, HIGH), (3, HIGH), (4, HIGH), (6, HIGH[4:12]), (8, HIGH[4:12])])
def test_what_sizes_do_not_tell_is_refused_until_it_is_said(tmp_path: Path, tag: int, label: np.ndarray) -> None:
    write(tmp_path, label, tag, drawn="upright")
    with pytest.raises(DataError, match=rf"images/a\.jpg: has EXIF orientation {tag}.*orientation: apply"):
        opened(tmp_path).read(0)
    assert agree(opened(tmp_path, orientation="apply"))
    write(tmp_path, label, tag, drawn="stored")
    with pytest.raises(DataError, match="orientation: as_stored"):
        opened(tmp_path).read(0)
    assert agree(opened(tmp_path, orientation="as_stored"))


@pytest.mark.parametrize("tag", [2, 3, 6])
def test_without_labels_pictures_are_upright(tmp_path: Path, tag: int) -> None:
    write(tmp_path, HIGH, tag, drawn="stored")
    dataset = opened(tmp_path, labels=False)
    assert dataset.read(0)[0].shape == (16, 8, 3)
    assert opened(tmp_path, labels=False, orientation="as_stored").read(0)[0].shape == STORED[tag](HIGH).shape + (3,)


@pytest.mark.parametrize("with_labels", [True, False])
def test_refuse_names_every_tagged_picture(tmp_path: Path, with_labels: bool) -> None:
    write(tmp_path, HIGH, 6, drawn="upright")
    with pytest.raises(DataError, match=r"images/a\.jpg: has EXIF orientation 6"):
        opened(tmp_path, labels=with_labels, orientation="refuse").read(0)
    write(tmp_path, HIGH, 1, drawn="upright")
    opened(tmp_path, labels=with_labels, orientation="refuse").read(0)


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("tag", [3, 6])
def test_a_label_with_a_tag_of_its_own(tmp_path: Path, tag: int, ending: str) -> None:
    save(tmp_path / "images/a.jpg", STORED[tag](coloured(HIGH)), tag)
    save(tmp_path / f"labels/a{ending}", STORED[tag](HIGH), tag)
    dataset = opened(tmp_path, label=ending)
    assert agree(dataset)  # both have the same tag
    assert dataset.read(0)[0].shape == (16, 8, 3)
    assert agree(opened(tmp_path, label=ending, orientation="as_stored"))
    save(tmp_path / "images/a.jpg", coloured(HIGH), None)
    with pytest.raises(DataError, match=rf"labels/a{ending}: has EXIF orientation {tag}"):
        opened(tmp_path, label=ending).read(0)
    assert agree(opened(tmp_path, label=ending, orientation="apply"))


@pytest.mark.parametrize("tag", [0, 9, 255])
def test_a_tag_that_means_nothing_turns_nothing(tmp_path: Path, tag: int) -> None:
    save(tmp_path / "a.jpg", coloured(HIGH), tag)
    assert read_rgb(tmp_path / "a.jpg").shape == (16, 8, 3)


def test_three_bands_are_chosen_and_scaled(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff([EIGHT]))
    # Bands 3, 2, 1 of the first pixel are 300, 200, 100: of 1000, 30, 20 and 10 %.
    read = Pictures(bands=(3, 2, 1), values=(0, 1000))(tmp_path / "a.tif")
    assert (read.dtype, read[0, 0].tolist()) == (np.uint8, [76, 51, 26])
    # Without values, the upper 8 of 16 bits: 300 // 256, 200 // 256, 100 // 256.
    assert Pictures(bands=(3, 2, 1))(tmp_path / "a.tif")[0, 0].tolist() == [1, 0, 0]
    assert Pictures(bands=(3,), values=(0, 1000))(tmp_path / "a.tif")[0, 0].tolist() == [76, 76, 76]
    with pytest.raises(DataError, match=r"a\.tif: holds 8 bands, but `bands` names 9"):
        Pictures(bands=(9, 2, 1))(tmp_path / "a.tif")


def test_twelve_bits_in_sixteen(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 2048, 4095, 5000]], np.uint16))
    assert Pictures(values=(0, 4095))(tmp_path / "a.png")[0, :, 0].tolist() == [0, 128, 255, 255]
    assert Pictures()(tmp_path / "a.png")[0, :, 0].tolist() == [0, 8, 15, 19]


@pytest.mark.parametrize("bands", [1, 3])
def test_floats_have_black_and_white(tmp_path: Path, bands: int) -> None:
    pixels = np.repeat(np.array([[[-0.5], [0.25], [1.0]]], np.float32), bands, axis=2)
    (tmp_path / "a.tif").write_bytes(tiff([pixels], tags={262: (1 if bands == 1 else 2,)}))
    assert Pictures(values=(0, 1))(tmp_path / "a.tif")[0].tolist() == [[0] * 3, [64] * 3, [255] * 3]
    pixels[0, 0] = np.nan
    (tmp_path / "a.tif").write_bytes(tiff([pixels], tags={262: (1 if bands == 1 else 2,)}))
    with pytest.raises(DataError, match="no finite numbers"):
        Pictures(values=(0, 1))(tmp_path / "a.tif")


def test_bands_of_a_png_count_red_first(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[1, 2, 3, 4]]], np.uint8)).save(tmp_path / "a.png")
    assert Pictures(bands=(4, 1, 2))(tmp_path / "a.png").tolist() == [[[4, 1, 2]]]
    Image.fromarray(np.array([[[5, 6]]], np.uint8), "LA").save(tmp_path / "b.png")
    assert Pictures(bands=(2,))(tmp_path / "b.png").tolist() == [[[6, 6, 6]]]


@pytest.mark.parametrize("options", [{"bands": ()}, {"bands": (0, 1, 2)}, {"bands": (1, 2)}, {"values": (1, 1)}])
def test_impossible_options_are_refused(options: dict) -> None:
    with pytest.raises(ConfigError, match="bands:|values:"):
        Pictures(**options)


@pytest.mark.parametrize("tag", [1, 3, 6])
def test_chosen_bands_are_turned_too(tmp_path: Path, tag: int) -> None:
    stored = np.dstack([STORED[tag](HIGH)] * 5)
    (tmp_path / "a.tif").write_bytes(tiff([stored], tags={274: (tag,)}))
    assert Pictures(bands=(5,))(tmp_path / "a.tif")[:, :, 0].tolist() == HIGH.tolist()


def test_labels_in_tiff_are_read_as_stored(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", STORED[6](HIGH), 6)
    assert read_index(tmp_path / "a.tif").tolist() == STORED[6](HIGH).tolist()


@pytest.mark.parametrize(("kind", "white"), [("u1", 4095), ("u1", 1), ("u2", 1), ("u2", 140000)])
def test_values_of_other_pictures_are_refused(tmp_path: Path, kind: str, white: float) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 2, 3), 200, kind))
    with pytest.raises(DataError, match=rf"of {8 * int(kind[1])} bits, to which `values: \[0, {white}\]` do not"):
        Pictures(values=(0, white))(tmp_path / "a.png")
    assert Pictures(values=(0, 250))(tmp_path / "a.png").max() == 204  # 200 of 250


@pytest.mark.parametrize(("values", "shade"), [((0, 60000), "black"), ((0, 40), "white"), ((0, 4095), None)])
def test_values_that_make_a_picture_black_or_white_are_a_doubt(
    tmp_path: Path, values: tuple[float, float], shade: str | None
) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 2, 3), 2000, np.uint16))
    doubt = Pictures(values=values).doubt(tmp_path / "a.png")
    assert doubt == (shade and f"a.png is nearly {shade} by `values: {[*values]}`; are these its values?")


@pytest.mark.parametrize("tag", [1, 6])
def test_a_label_that_lies_on_its_side_says_so(tmp_path: Path, tag: int) -> None:
    write(tmp_path, HIGH, tag, drawn="upright")
    save(tmp_path / "labels/a.png", HIGH if tag == 6 else WIDE, None)
    dataset = opened(tmp_path, orientation="as_stored")
    with pytest.raises(DataError, match="one lies on its side: set `orientation`"):
        dataset.read(0)
    assert "one lies on its side" in check(dataset).problems[0].detail
