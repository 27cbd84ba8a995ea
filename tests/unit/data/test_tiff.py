import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from segda.data.decode import read_bands, read_rgb
from segda.errors import DataError

# 2x3 pixels of eight bands: band b of pixel (y, x) is 100 * b + 10 * y + x.
EIGHT = (100 * np.arange(1, 9) + 10 * np.arange(2)[:, None, None] + np.arange(3)[:, None]).astype(np.uint16)


def tiff(
    pages: Sequence[np.ndarray], *, order: str = "<", planar: int = 1, tags: dict[int, tuple] | None = None
) -> bytes:
    """Uncompressed pages `[H, W, bands]`, a strip for each, or for each band where `planar` is 2."""
    content = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    link = 4
    for pixels in pages:
        height, width, bands = pixels.shape
        planes = [pixels] if planar == 1 else [pixels[:, :, [band]] for band in range(bands)]
        starts, sizes = [], []
        for plane in planes:
            stored = plane.astype(plane.dtype.newbyteorder(order)).tobytes()
            starts.append(len(content))
            sizes.append(len(stored))
            content += stored + bytes(-len(stored) % 4)
        kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
        every = {
            256: (width,), 257: (height,), 258: (pixels.dtype.itemsize * 8,) * bands, 259: (1,), 262: (1,),
            273: starts, 277: (bands,), 278: (height,), 279: sizes, 284: (planar,), 339: (kind,) * bands,
            **(tags or {}),
        }  # fmt: skip
        entries = b""
        for tag, numbers in sorted(every.items()):
            packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
            if len(numbers) > 1:
                packed, content = struct.pack(order + "I", len(content)), content + packed
            entries += struct.pack(order + "HHI", tag, 4, len(numbers)) + packed
        content[link : link + 4] = struct.pack(order + "I", len(content))
        content += struct.pack(order + "H", len(every)) + entries
        link = len(content)
        content += bytes(4)
    return bytes(content)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f4", "f8"])
def test_all_bands_are_read_with_all_bits(tmp_path: Path, kind: str, planar: int, order: str) -> None:
    pixels = (EIGHT // 4).astype(kind)
    (tmp_path / "a.tif").write_bytes(tiff([pixels], order=order, planar=planar))
    read, orientation = read_bands(tmp_path / "a.tif")
    assert (read.dtype, orientation) == (pixels.dtype, 1)
    assert read.tolist() == pixels.tolist()


def test_pages_of_one_band_are_bands(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff([EIGHT[:, :, [band]] for band in range(8)]))
    assert read_bands(tmp_path / "a.tif")[0].tolist() == EIGHT.tolist()


def test_reduced_copies_are_no_pages(tmp_path: Path) -> None:
    small = tiff([EIGHT, EIGHT[:1, :1]])
    # Both pages get the tag; only a copy says 1.
    assert read_bands_of(tmp_path, tiff([EIGHT], tags={254: (0,)})).shape == (2, 3, 8)
    with pytest.raises(DataError, match="different sizes"):
        read_bands_of(tmp_path, small)


def read_bands_of(folder: Path, content: bytes) -> np.ndarray:
    (folder / "b.tif").write_bytes(content)
    return read_bands(folder / "b.tif")[0]


@pytest.mark.parametrize("compression", [5, 8, 32946, 32773])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_packed_differences_of_colours_are_undone(tmp_path: Path, kind: type, compression: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 250, (20, 30, 3)).astype(kind)
    assert cv2.imwrite(str(tmp_path / "a.tif"), pixels, [cv2.IMWRITE_TIFF_COMPRESSION, compression, 317, 2])
    assert read_bands(tmp_path / "a.tif")[0].tolist() == pixels[:, :, ::-1].tolist()


@pytest.mark.parametrize("bands", [2, 3, 4, 5, 8, 16])
def test_bands_without_names_are_counted_in_the_error(tmp_path: Path, bands: int) -> None:
    (tmp_path / "a.tif").write_bytes(tiff([np.zeros((2, 3, bands), np.uint16)]))
    with pytest.raises(DataError, match=rf"a\.tif: {bands} bands of 16 bits.*bands: \[3, 2, 1\]"):
        read_rgb(tmp_path / "a.tif")


def test_grey_with_alpha_is_a_picture(tmp_path: Path) -> None:
    pixels = np.array([[[40 * 256, 65535], [50 * 256, 0]]], np.uint16)
    (tmp_path / "a.tif").write_bytes(tiff([pixels], tags={338: (2,)}))
    assert read_rgb(tmp_path / "a.tif").tolist() == [[[40, 40, 40], [50, 50, 50]]]


def test_pages_name_the_key(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff([EIGHT[:, :, [0]]] * 3))
    with pytest.raises(DataError, match="3 pages of one band.*`bands`"):
        read_rgb(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["f4", "i2", "u4"])
def test_numbers_without_black_and_white_name_the_key(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.tif").write_bytes(tiff([EIGHT[:, :, :1].astype(kind)]))
    with pytest.raises(DataError, match=r"a\.tif: (floating-point|signed|whole) numbers of (16|32) bits.*`values"):
        read_rgb(tmp_path / "a.tif")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_a_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    content = tiff([np.zeros((40, 50, 8), np.uint16)])
    (tmp_path / "a.tif").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match="not a readable image"):
        read_bands(tmp_path / "a.tif")


def test_heads_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    content = bytearray(tiff([EIGHT]))
    (start,) = struct.unpack_from("<I", content, 4)
    content[-4:] = struct.pack("<I", start)
    assert read_bands_of(tmp_path, bytes(content)).shape == (2, 3, 8)


def test_a_claim_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    content = tiff([EIGHT], tags={256: (30_000,), 257: (30_000,)})
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError, match="SEGDA_MAX_PIXELS=900000000"):
        read_bands(tmp_path / "a.tif")
