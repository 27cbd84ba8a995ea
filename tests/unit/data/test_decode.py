import struct
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segda.data.decode import image_size, orientation_of, read_channels, read_index, read_rgb
from segda.errors import DataError
from tests.bad_input.images import chunk, png

RED_GREEN = np.array([[[255, 0, 0], [0, 255, 0]]], dtype=np.uint8)


def test_pictures_are_rgb(tmp_path: Path) -> None:
    Image.fromarray(RED_GREEN).save(tmp_path / "a.png")
    assert read_rgb(tmp_path / "a.png").tolist() == RED_GREEN.tolist()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_every_picture_has_three_8_bit_channels(tmp_path: Path, mode: str) -> None:
    Image.fromarray(RED_GREEN).convert(mode).save(tmp_path / "a.png")
    image = read_rgb(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((1, 2, 3), np.uint8)


def test_an_opencv_without_gif_names_the_one_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "a.gif")
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: None)
    with pytest.raises(DataError, match=r"a\.gif: not a readable image \(.*; GIFs take OpenCV 4\.12, here is"):
        read_rgb(tmp_path / "a.gif")


def test_the_size_is_that_of_the_stored_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for ending in ("jpg", "png", "tif", "webp"):
        Image.new("RGB", (8, 4)).save(tmp_path / f"a.{ending}", exif=exif)
        assert image_size(tmp_path / f"a.{ending}") == (4, 8)
        assert orientation_of(tmp_path / f"a.{ending}") == 6


def test_an_orientation_behind_the_pixels_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.png", exif=exif)
    content = (tmp_path / "a.png").read_bytes()
    start = content.index(b"eXIf") - 4
    length = 12 + int.from_bytes(content[start : start + 4], "big")
    rest = content[:start] + content[start + length :]
    (tmp_path / "a.png").write_bytes(rest[:-12] + content[start : start + length] + rest[-12:])
    assert orientation_of(tmp_path / "a.png") == 6
    assert read_rgb(tmp_path / "a.png").shape == (8, 4, 3)


def test_a_damaged_tag_turns_nothing(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    content = (tmp_path / "a.jpg").read_bytes()
    start = content.index(b"Exif") + 6
    (tmp_path / "a.jpg").write_bytes(content[:start] + b"\xff" * 8 + content[start + 8 :])
    assert read_rgb(tmp_path / "a.jpg").shape == (4, 8, 3)


@pytest.mark.parametrize(("bits", "ids"), [(1, [0, 1, 1, 0]), (2, [0, 1, 2, 3]), (4, [0, 7, 14, 15])])
def test_labels_of_few_bits_hold_their_numbers(tmp_path: Path, bits: int, ids: list[int]) -> None:
    packed = sum(value << (8 // bits - 1 - index) * bits for index, value in enumerate(ids[: 8 // bits]))
    row = bytes([packed]) if bits < 4 else bytes([ids[0] << 4 | ids[1], ids[2] << 4 | ids[3]])
    (tmp_path / "a.png").write_bytes(png(4, 1, bits, 0, b"\0" + row))
    assert read_index(tmp_path / "a.png").tolist() == [ids]
    assert read_index(tmp_path / "a.png").dtype == np.uint8


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_labels_of_one_bit_hold_0_and_1(tmp_path: Path, ending: str) -> None:
    Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1").save(tmp_path / f"a.{ending}")
    assert read_index(tmp_path / f"a.{ending}").tolist() in ([[0, 1, 1]], [[0, 255, 255]])


@pytest.mark.parametrize("mode", ["RGB", "LA", "RGBA"])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_grey_labels_in_several_channels_hold_their_numbers(tmp_path: Path, mode: str, ending: str) -> None:
    if (mode, ending) != ("LA", "tif"):
        Image.fromarray(np.array([[0, 7, 255]], np.uint8)).convert(mode).save(tmp_path / f"a.{ending}")
        assert read_index(tmp_path / f"a.{ending}").tolist() == [[0, 7, 255]]


def test_grey_labels_in_channels_of_16_bits_hold_their_numbers(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.repeat(np.array([[[0], [7], [255]]], np.uint16), 3, axis=2))
    assert read_index(tmp_path / "a.png").tolist() == [[0, 7, 255]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_coloured_labels_name_the_key(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4), (7, 7, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="`colours`"):
        read_index(tmp_path / "a.png")


def test_index_files_keep_their_numbers(tmp_path: Path) -> None:
    ids = np.array([[0, 7, 34]], dtype=np.uint8)
    Image.fromarray(ids).save(tmp_path / "grey.png")
    palette = Image.fromarray(ids)
    palette.putpalette([255 - value // 3 for value in range(768)])
    palette.save(tmp_path / "palette.png")
    Image.fromarray(np.array([[0, 7, 34000]], dtype=np.uint16)).save(tmp_path / "deep.png")
    assert read_index(tmp_path / "grey.png").tolist() == [[0, 7, 34]]
    assert read_index(tmp_path / "palette.png").tolist() == [[0, 7, 34]]
    assert read_index(tmp_path / "deep.png").tolist() == [[0, 7, 34000]]


def palette_png(width: int, height: int, rows: bytes) -> bytes:
    return png(width, height, 8, 3, rows, before=chunk(b"PLTE", bytes(768)))


def test_rows_of_palette_files_may_be_filtered_or_interlaced(tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 19, (5, 7), dtype=np.uint8)
    left = np.pad(ids, ((0, 0), (1, 0)))[:, :-1]
    content = {
        "stored.png": palette_png(7, 5, np.insert(ids, 0, 0, axis=1).tobytes()),
        # Filter 1: each pixel as its difference to the one on its left.
        "filtered.png": palette_png(7, 5, np.insert(ids - left, 0, 1, axis=1).tobytes()),
    }
    for name, each in content.items():
        (tmp_path / name).write_bytes(each)
        assert read_index(tmp_path / name).tolist() == ids.tolist()
    plain, interlaced = (chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 3, 0, 0, adam7)) for adam7 in (0, 1))
    (tmp_path / "adam7.png").write_bytes(palette_png(1, 1, b"\0\7").replace(plain, interlaced))
    assert read_index(tmp_path / "adam7.png").tolist() == [[7]]


def test_palette_files_hold_no_fewer_rows_and_unpack_to_no_more(tmp_path: Path) -> None:
    rows = np.insert(np.ones((5, 7), np.uint8), 0, 0, axis=1)
    (tmp_path / "short.png").write_bytes(palette_png(7, 5, rows[:4].tobytes()))
    with pytest.raises(DataError, match="fewer pixels than its head claims"):
        read_index(tmp_path / "short.png")
    (tmp_path / "bomb.png").write_bytes(palette_png(7, 5, rows.tobytes() + bytes(1 << 26)))
    tracemalloc.start()
    assert read_index(tmp_path / "bomb.png").tolist() == rows[:, 1:].tolist()
    assert tracemalloc.get_traced_memory()[1] < 1 << 21
    tracemalloc.stop()


def test_channels_are_read_with_all_their_bits(tmp_path: Path) -> None:
    stored = np.array([[[1, 2, 40000]]], dtype=np.uint16)
    assert cv2.imwrite(str(tmp_path / "a.png"), stored)
    assert read_channels(tmp_path / "a.png").tolist() == stored.tolist()


def test_a_jpeg_with_bytes_after_its_end_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    assert cv2.imwrite(str(path), np.zeros((8, 8, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes() + b"camera maker's notes")
    assert read_rgb(path).shape == (8, 8, 3)


def test_a_damaged_index_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    ids = np.random.default_rng(0).integers(0, 19, (40, 60), dtype=np.uint8)
    Image.fromarray(ids).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="not a readable image"):
        read_index(path)
