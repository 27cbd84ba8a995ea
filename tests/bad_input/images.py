"""Images: truncated, in another format than their suffix, too large, and unusual ones that are accepted."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from segda.data.decode import read_rgb, read_stored
from tests.bad_input.case import RUN, Case, Handled, Spoil
from tools.fuzz_files import HEIGHT, WIDTH, pictures

FILE = "set/images/train/a.png"
PIXELS = pictures(0)
AGAIN = "fetch the file again or exclude it"


def encoded(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int = 8, colour: int = 2, rows: bytes = b"", *, before: bytes = b"") -> bytes:
    """A hand-made PNG with any header."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + before + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def holds(content: bytes) -> Spoil:
    return lambda folder: (folder / FILE).write_bytes(content)


def cut(form: str, share: float) -> Spoil:
    content = encoded(form)
    return holds(content[: int(len(content) * share)])


def changed(form: str, index: int, value: int = 0xFF) -> Spoil:
    content = bytearray(encoded(form))
    content[index] ^= value
    return holds(bytes(content))


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    content = bytearray(encoded("JPEG"))
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def bmp_of(width: int, height: int) -> bytes:
    content = bytearray(encoded("BMP"))
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


def gif_of(width: int, height: int) -> bytes:
    content = bytearray(encoded("GIF"))
    content[6:10] = struct.pack("<HH", width, height)
    return bytes(content)


def webp_of(width: int, height: int) -> bytes:
    """A lossless WebP; its width and height have 14 bits each after the signature."""
    content = bytearray(encoded("WEBP", lossless=True))
    start = content.index(b"VP8L") + 9
    (bits,) = struct.unpack("<I", content[start : start + 4])
    content[start : start + 4] = struct.pack("<I", bits >> 28 << 28 | (height - 1) << 14 | width - 1)
    return bytes(content)


def tiff_of(width: int, height: int) -> bytes:
    content = encoded("TIFF", Image.new("L", (7, 5)))
    for tag, side, own in ((256, width, 7), (257, height, 5)):
        entry = struct.pack("<HHI", tag, 4, 1)
        content = content.replace(entry + struct.pack("<I", own), entry + struct.pack("<I", side))
        short = struct.pack("<HHI", tag, 3, 1)
        content = content.replace(short + struct.pack("<I", own), short + struct.pack("<I", side))
    return content


def frames(form: str) -> bytes:
    two = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    return encoded(form, two[0], save_all=True, append_images=two[1:])


def moved(make: Callable[[Path], object]) -> Spoil:
    """Replace the file with something else."""

    def spoil(folder: Path) -> None:
        (folder / FILE).unlink()
        make(folder / FILE)

    return spoil


FORMS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
TEXTS = {
    "text": b"not found", "a web page": b"<!DOCTYPE html><html><body>404</body></html>", "a PDF": b"%PDF-1.4\n%%EOF",
    "a zip": b"PK\x05\x06" + bytes(18), "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "zeros": bytes(500), "a PNG's first bytes": b"\x89PNG\r\n\x1a\n", "a JPEG's first bytes": b"\xff\xd8\xff",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "a pixel map": b"P3 1 1 255 1 2 3\n",
    "an icon": b"\x00\x00\x01\x00\x01\x00" + bytes(16), "a Photoshop file": b"8BPS\x00\x01" + bytes(20),
    "a link's text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123\n",
}  # fmt: skip
LARGE = {
    "PNG": png(30_000, 30_000), "JPEG": jpeg_of(30_000, 30_000), "BMP": bmp_of(30_000, 30_000),
    "GIF": gif_of(30_000, 30_000), "WebP": webp_of(16_000, 16_000), "TIFF": tiff_of(30_000, 30_000),
    "PNG of 2 billion columns": png(2**31 - 1, 1), "PNG of one row": png(200_000_000, 1),
}  # fmt: skip

CASES = (
    Case("empty image", holds(b""), FILE, AGAIN, RUN, "pair"),
    *(Case(f"{form} cut at {share:.0%}", cut(form, share), FILE, AGAIN, RUN, "pair")
      for form in FORMS for share in (0.1, 0.6)),
    Case("PNG without its end", cut("PNG", 0.99), FILE, AGAIN, RUN, "pair"),
    Case("JPEG without its end", cut("JPEG", 0.97), FILE, AGAIN, RUN, "pair"),
    Case("PNG with a changed byte", changed("PNG", -30), FILE, "wrong checksum", RUN, "pair"),
    Case("PNG with a changed head", changed("PNG", 19), FILE, AGAIN, RUN, "pair"),
    Case("PNG without pixels", holds(png(4, 4)), FILE, AGAIN, RUN, "pair"),
    Case("PNG of no width", holds(png(0, 4)), FILE, AGAIN, RUN, "pair"),
    Case("PNG of 3 bits", holds(png(4, 4, depth=3)), FILE, AGAIN, RUN, "pair"),
    Case("PNG with a bad filter", holds(png(1, 1, rows=b"\x09abc")), FILE, AGAIN, RUN, "pair"),
    Case("PNG whose text unpacks to gigabytes", holds(png(
        4, 4, rows=bytes(52), before=chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(80_000_000))))),
        FILE, AGAIN, RUN, "pair"),
    *(Case(f"{what} called .png", holds(content), FILE, AGAIN, RUN, "pair") for what, content in TEXTS.items()),
    *(Case(f"bomb: {what}", holds(content), FILE, "SEGDA_MAX_PIXELS=", RUN, "pair")
      for what, content in LARGE.items()),
    *(Case(f"animated {form}", holds(frames(form)), FILE, "files of their own", RUN, "pair")
      for form in ("PNG", "GIF", "WEBP", "TIFF")),
    Case("a link that leads nowhere", moved(lambda path: path.symlink_to("gone.png")), FILE, "repair", RUN, "pair"),
    Case("a link to itself", moved(lambda path: path.symlink_to(path.name)), FILE, "repair", RUN, "pair"),
    Case("a link to a folder", moved(lambda path: path.symlink_to("..")), "a.png", "remove", RUN, "pair"),
    Case("a pipe", moved(os.mkfifo), FILE, "replace it by the image", RUN, "pair"),
    Case("a folder called .png", moved(Path.mkdir), "labels/train/a.png", "exclude", RUN, "pair"),
    Case("a label's size", holds(encoded("PNG", Image.new("RGB", (3, 3)))), FILE, "must match", RUN, "pair"),
    Case("a picture of one pixel with a larger label", holds(encoded("PNG", Image.new("RGB", (1, 1)))), FILE,
         "must match", RUN, "pair"),
)  # fmt: skip


def written(folder: Path) -> np.ndarray:
    return read_rgb(next((folder / "runs").glob("export-*/images/a.*")))


def as_is(folder: Path) -> None:
    """The pixels are those of the valid image."""
    assert read_rgb(folder / FILE).tolist() == PIXELS.tolist()
    assert written(folder).shape == PIXELS.shape


def as_stored(folder: Path) -> None:
    """The pixels are those of the valid image, which its label has the size of."""
    assert read_stored(folder / FILE)[0].tolist() == PIXELS.tolist()
    assert written(folder).shape == PIXELS.shape


def nearly(folder: Path) -> None:
    assert np.abs(read_rgb(folder / FILE).astype(int) - PIXELS).mean() < 40
    assert written(folder).shape == PIXELS.shape


def grey(folder: Path) -> None:
    pixels = read_rgb(folder / FILE)
    assert (pixels[:, :, 0] == pixels[:, :, 2]).all()
    assert written(folder).shape == PIXELS.shape


def oriented() -> bytes:
    """The same pixels, and an EXIF tag that rotates them by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded("PNG", exif=exif)


def sixteen(folder: Path) -> None:
    assert cv2.imwrite(str(folder / FILE), PIXELS[:, :, ::-1].astype(np.uint16) * 256 + 200)


def one_pixel(folder: Path) -> None:
    holds(encoded("PNG", Image.new("RGB", (1, 1), (9, 9, 9))))(folder)
    Image.new("L", (1, 1), 1).save(folder / "set/labels/train/a.png")


def shows_one_pixel(folder: Path) -> None:
    assert written(folder).shape == (1, 1, 3)


WITH_ALPHA = Image.fromarray(np.dstack([PIXELS, np.full((HEIGHT, WIDTH), 3, np.uint8)]))
SMOOTH = Image.fromarray(cv2.resize(PIXELS[:2, :2], (WIDTH, HEIGHT)))
HANDLED = (
    Handled("JPEG called .png", holds(encoded("JPEG", quality=98, subsampling=0)), nearly, RUN, "pair"),
    Handled("WebP called .png", holds(encoded("WEBP", lossless=True)), as_is, RUN, "pair"),
    Handled("BMP called .png", holds(encoded("BMP")), as_is, RUN, "pair"),
    Handled("16 bits: the upper 8 are kept", sixteen, as_is, RUN, "pair"),
    Handled("alpha is left out", holds(encoded("PNG", WITH_ALPHA)), as_is, RUN, "pair"),
    Handled("grey and alpha", holds(encoded("PNG", Image.fromarray(PIXELS).convert("LA"))), grey, RUN, "pair"),
    Handled("grey is repeated", holds(encoded("PNG", Image.fromarray(PIXELS).convert("L"))), grey, RUN, "pair"),
    Handled("black and white", holds(encoded("PNG", Image.fromarray(PIXELS).convert("1"))), grey, RUN, "pair"),
    Handled("a palette is looked up", holds(encoded("PNG", Image.fromarray(PIXELS).quantize(256))), nearly, RUN,
            "pair"),
    Handled("CMYK is converted", holds(encoded("JPEG", Image.fromarray(PIXELS).convert("CMYK"), quality=100)), nearly,
            RUN, "pair"),
    Handled("YCbCr", holds(encoded("JPEG", SMOOTH.convert("YCbCr"))), lambda folder: None, RUN, "pair"),
    Handled("an EXIF rotation that the label does not have", holds(oriented()), as_stored, RUN, "pair"),
    Handled("interlaced PNG", holds(encoded("PNG", interlace=1)), as_is, RUN, "pair"),
    Handled("progressive JPEG", holds(encoded("JPEG", progressive=True, quality=98, subsampling=0)), nearly, RUN,
            "pair"),
    Handled("bytes after the end", holds(encoded("PNG") + b"camera maker's notes"), as_is, RUN, "pair"),
    Handled("one pixel", one_pixel, shows_one_pixel, RUN, "pair"),
)  # fmt: skip
