from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segda.data.decode import image_size, read_channels, read_index, read_rgb
from segda.errors import DataError

RED_GREEN = np.array([[[255, 0, 0], [0, 255, 0]]], dtype=np.uint8)


def test_pictures_are_rgb(tmp_path: Path) -> None:
    Image.fromarray(RED_GREEN).save(tmp_path / "a.png")
    assert read_rgb(tmp_path / "a.png").tolist() == RED_GREEN.tolist()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_every_picture_has_three_8_bit_channels(tmp_path: Path, mode: str) -> None:
    Image.fromarray(RED_GREEN).convert(mode).save(tmp_path / "a.png")
    image = read_rgb(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((1, 2, 3), np.uint8)


def test_exif_rotation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert read_rgb(tmp_path / "a.jpg").shape == (4, 8, 3)
    assert image_size(tmp_path / "a.jpg") == (4, 8)


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
