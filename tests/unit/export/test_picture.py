"""Files of each format, read back by Pillow."""

import io
from pathlib import PurePath

import numpy as np
import pytest
from PIL import Image

from segda.errors import ArtefactError
from segda.export.format import ENDINGS
from segda.export.picture import Picture, decode, encode_label, format_of

PIXELS = np.random.default_rng(0).integers(0, 256, (33, 47, 3)).astype(np.uint8)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("name", ["png", "webp"])
def test_lossless_formats_keep_every_pixel(name: str) -> None:
    image = opened(Picture(name).encode(PIXELS))  # type: ignore[arg-type]
    assert image.format == name.upper()
    assert np.array_equal(np.asarray(image.convert("RGB")), PIXELS)


def test_jpeg_comes_close_and_obeys_its_quality() -> None:
    smooth = np.linspace(0, 255, 64 * 64).reshape(64, 64, 1).repeat(3, axis=2).astype(np.uint8)
    fine, coarse = Picture("jpeg", 95).encode(smooth), Picture("jpeg", 20).encode(smooth)
    assert len(coarse) < len(fine)
    image = opened(fine)
    assert image.format == "JPEG"
    assert np.abs(np.asarray(image).astype(int) - smooth).max() <= 6
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert np.asarray(opened(Picture("jpeg").encode(red)))[8, 8].tolist() == pytest.approx([200, 0, 0], abs=4)


def test_an_image_that_a_format_cannot_hold_is_one_line() -> None:
    with pytest.raises(ArtefactError, match="1x16400 pixels does not go into a webp file.*use format: png"):
        Picture("webp").encode(np.zeros((1, 16400, 3), np.uint8))


def test_endings() -> None:
    assert [Picture(name).ending for name in ENDINGS] == [".png", ".jpg", ".webp"]
    formats = [format_of(PurePath(name)) for name in ("a/b.JPG", "b.jpeg", "c.x.png", "d.webp", "e.tif")]
    assert formats == ["jpeg", "jpeg", "png", "webp", None]


def test_what_is_encoded_is_decoded_to_the_same_pixels() -> None:
    for lossless in (Picture("png"), Picture("webp")):
        np.testing.assert_array_equal(decode(lossless.encode(PIXELS)), PIXELS)
    label = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(np.asarray(opened(encode_label(label))), label)
    with pytest.raises(ArtefactError, match="7 bytes is damaged"):
        decode(b"no file")
