"""Every form of an image gives the pixels of its file, and what is none of them is refused in one line."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from segda.data.decode import read_rgb
from segda.data.given_image import pixels_of
from segda.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    assert cv2.imwrite(str(tmp_path / "a.png"), PIXELS[..., ::-1])
    return tmp_path / "a.png"


def test_every_form_gives_the_pixels_of_the_file(file: Path) -> None:
    channels_first = torch.from_numpy(PIXELS).permute(2, 0, 1)
    forms = (
        file, str(file), Image.open(file), PIXELS, channels_first, channels_first.float() / 255, PIXELS / 255,
        channels_first.double() / 255,
    )  # fmt: skip
    for form in forms:
        given = pixels_of(form, read_rgb)
        assert given.dtype == np.uint8
        assert np.array_equal(given, PIXELS), type(form)


def test_floats_between_8_bit_numbers_keep_their_values() -> None:
    values = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    given = pixels_of(values, read_rgb)
    assert given.dtype == np.float32
    assert np.allclose(given, 2 * values.permute(1, 2, 0).numpy() - 1)


def test_a_photograph_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(pixels_of(image, read_rgb), np.rot90(PIXELS, -1))


@pytest.mark.parametrize(("image", "message"), [
    (torch.rand(3, 4, 5) * 255, "divide by 255"),
    (torch.rand(3, 4, 5) * 2 - 1, r"\(image \+ 1\) / 2"),
    (torch.randn(3, 40, 50) * 2, "normalises by itself"),
    (torch.full((3, 4, 5), torch.nan), "expected \\[0, 1\\]"),
    (torch.rand(4, 5, 3), r"permute\(2, 0, 1\)"),
    (torch.rand(2, 3, 4, 5), "a list of images, not a batch"),
    (torch.zeros(3, 4, 5, dtype=torch.int64), "int64 numbers"),
    (torch.zeros(3, 0, 5), "shape"),
    (np.zeros((3, 4, 5), np.uint8), r"transpose\(1, 2, 0\)"),
    (np.zeros((4, 5), np.uint8), "grey image's channel"),
    (np.zeros((4, 5, 4), np.uint8), "red, green and blue"),
    (np.zeros((4, 5, 3), np.uint16), "uint16 numbers"),
    (Image.new("I;16", (4, 5)), "the file's path"),
    (7, "expected a path"),
])  # fmt: skip
def test_what_is_no_image_is_refused_with_the_remedy(image: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        pixels_of(image, read_rgb)
    assert "\n" not in str(caught.value)
