"""Labels that are no maps of class ids, or that contain unknown ids."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from segda.data.decode import read_index
from tests.bad_input import images
from tests.bad_input.case import RUN, Case, Handled, Spoil
from tests.bad_input.images import encoded, frames, png
from tools.fuzz_files import HEIGHT, WIDTH, ids, pictures

FILE = "set/labels/train/a.png"
IDS = ids(0, (1, 2))
AGAIN = "fetch the file again or exclude it"
OWN = "give the file of ids"
OTHER = "repair the file or exclude it"


def holds(content: bytes, path: str = FILE) -> Spoil:
    return lambda folder: (folder / path).write_bytes(content)


def of_mode(mode: str, form: str = "PNG") -> Spoil:
    return holds(encoded(form, Image.fromarray(IDS).convert(mode)))


def with_id(native: int, dtype: type = np.uint8) -> Spoil:
    pixels = IDS.astype(dtype)
    pixels[0, :3] = native
    return holds(encoded("PNG", Image.fromarray(pixels)))


def floats(value: float) -> bytes:
    pixels = IDS.astype(np.float32)
    pixels[0, 0] = value
    return encoded("TIFF", Image.fromarray(pixels))


def written(path: str, pixels: np.ndarray) -> Spoil:
    def spoil(folder: Path) -> None:
        assert cv2.imwrite(str(folder / path), pixels)

    return spoil


def same(pixels: np.ndarray) -> Callable[[Path], None]:
    def shows(folder: Path) -> None:
        assert read_index(folder / FILE).tolist() == pixels.tolist()
        assert list((folder / "runs").glob("export-*/labels/a.png"))

    return shows


ROWS = b"".join(b"\0" + row.tobytes() for row in IDS)
CARLA, SYNTHIA, GTA5 = "set/CameraSeg/1.png", "set/GT/LABELS/0000000.png", "set/labels/00001.png"
GREY = np.full((HEIGHT, WIDTH), 1, np.uint8)

CASES = (
    Case("empty label", holds(b""), FILE, AGAIN, RUN, "pair"),
    Case("text for a label", holds(b"1 2 1 2"), FILE, AGAIN, RUN, "pair"),
    Case("half a label", holds(encoded("PNG", Image.fromarray(IDS))[:70]), FILE, AGAIN, RUN, "pair"),
    *(Case(f"coloured label of mode {mode}", holds(encoded("PNG", Image.new(mode, (WIDTH, HEIGHT), "red"))), FILE, OWN,
           RUN, "pair") for mode in ("RGB", "RGBA")),
    Case("label of one bit with id 0", of_mode("1"), FILE, OTHER, RUN, "pair"),
    Case("label of mode CMYK", of_mode("CMYK", "TIFF"), FILE, "write them as PNG", RUN, "pair"),
    Case("label of mode F", holds(floats(1.5)), FILE, "write them as PNG", RUN, "pair"),
    Case("label with NaN", holds(floats(float("nan"))), FILE, "write them as PNG", RUN, "pair"),
    Case("label with infinity", holds(floats(float("inf"))), FILE, "write them as PNG", RUN, "pair"),
    Case("label as grey JPEG", of_mode("L", "JPEG"), FILE, "write PNG", RUN, "pair"),
    Case("label as colour JPEG", of_mode("RGB", "JPEG"), FILE, "write PNG", RUN, "pair"),
    Case("label as lossy WebP", of_mode("RGB", "WEBP"), FILE, "write them as PNG", RUN, "pair"),
    Case("label of 4 bits with id 0", holds(png(WIDTH, HEIGHT, 4, 0, bytes((WIDTH // 2 + 1) * HEIGHT))), FILE, OTHER,
         RUN, "pair"),
    Case("label of 2 bits with id 0", holds(png(WIDTH, HEIGHT, 2, 0, bytes((WIDTH // 4 + 1) * HEIGHT))), FILE, OTHER,
         RUN, "pair"),
    Case("animated label", holds(frames("GIF")), FILE, "files of their own", RUN, "pair"),
    *(Case(f"label with id {native}", with_id(native), FILE, OTHER, RUN, "pair") for native in (0, 3, 254)),
    Case("label with id 255", with_id(255), FILE, "name it in `ignore`", RUN, "pair"),
    *(Case(f"16-bit label with id {native}", with_id(native, np.uint16), FILE, OTHER, RUN, "pair")
      for native in (256, 257, 65535)),
    Case("32-bit label with id -1", holds(encoded("TIFF", Image.fromarray(np.full((HEIGHT, WIDTH), -1, np.int32)))),
         FILE, OTHER, RUN, "pair"),
    Case("label of another size", holds(encoded("PNG", Image.fromarray(IDS[:4]))), FILE, "must match", RUN, "pair"),
    Case("label turned by a quarter", holds(encoded("PNG", Image.fromarray(IDS.T.copy()))), FILE, "turn the files", RUN,
         "pair"),
    Case("label with fewer rows than it claims", holds(png(WIDTH, 2 * HEIGHT, colour=0, rows=ROWS)), FILE, AGAIN, RUN,
         "pair"),
    Case("label of 143 bytes that claims 100 million", holds(png(16, 6_225_932, colour=0, rows=ROWS)), FILE, AGAIN,
         RUN, "pair"),
    Case("bomb of a label", holds(png(30_000, 30_000, colour=0)), FILE, "SEGDA_MAX_PIXELS=900000000", RUN, "pair"),
    Case("CARLA: grey label", written(CARLA, GREY), CARLA, "use the recorded files", RUN, "carla"),
    Case("CARLA: 16-bit label", written(CARLA, np.ones((HEIGHT, WIDTH, 3), np.uint16)), CARLA,
         "use the recorded files", RUN, "carla"),
    Case("CARLA: label in JPEG", holds(encoded("JPEG"), CARLA), CARLA, "write PNG", RUN, "carla"),
    Case("CARLA: id outside the map", written(CARLA, np.full((HEIGHT, WIDTH, 3), 90, np.uint8)), CARLA, OTHER, RUN,
         "carla"),
    Case("CARLA: bomb of a label", holds(png(30_000, 30_000), CARLA), CARLA, "SEGDA_MAX_PIXELS", RUN, "carla"),
    Case("SYNTHIA: grey label", written(SYNTHIA, GREY), SYNTHIA, "use the files of GT/LABELS", RUN, "synthia"),
    Case("SYNTHIA: label in JPEG", holds(encoded("JPEG"), SYNTHIA), SYNTHIA, "write PNG", RUN, "synthia"),
    Case("SYNTHIA: id outside the map", written(SYNTHIA, np.full((HEIGHT, WIDTH, 3), 300, np.uint16)), SYNTHIA, OTHER,
         RUN, "synthia"),
    Case("GTA5: coloured label", holds(encoded("PNG"), GTA5), GTA5, OWN, RUN, "gta5"),
    Case("GTA5: empty label", holds(b"", GTA5), GTA5, AGAIN, RUN, "gta5"),
    Case("GTA5: odd frame without an image", lambda folder: (folder / "set/images/20801.png").write_bytes(b""),
         "set/images/20801.png", AGAIN, RUN, "gta5"),
    Case("colours: a colour outside the map", holds(encoded("PNG", Image.fromarray(pictures(3))),
         "set/labels/train/0.png"), "set/labels/train/0.png", "name them in `colours`", RUN, "colours"),
    Case("colours: JPEG", holds(encoded("JPEG"), "set/labels/train/0.png"), "set/labels/train/0.png",
         "JPEG labels do not work", RUN, "colours"),
)  # fmt: skip

PALETTE = Image.fromarray(IDS)
PALETTE.putpalette([7] * 768)
HANDLED = (
    Handled("a palette is not looked up in labels", holds(encoded("PNG", PALETTE)), same(IDS), RUN, "pair"),
    *(Handled(f"grey label of mode {mode}", of_mode(mode), same(IDS), RUN, "pair") for mode in ("RGB", "RGBA", "LA")),
    Handled("16-bit labels are numbers", holds(encoded("PNG", Image.fromarray(IDS.astype(np.uint16)))), same(IDS), RUN,
            "pair"),
    Handled("labels in lossless formats", holds(encoded("BMP", Image.fromarray(IDS))), same(IDS), RUN, "pair"),
    Handled("a palette of 2 bits", holds(encoded("PNG", PALETTE, bits=2)), same(IDS), RUN, "pair"),
    Handled("a label with an EXIF rotation, as its image", lambda folder: (
        holds(encoded("PNG", Image.fromarray(IDS), exif=rotated()))(folder), images.holds(images.oriented())(folder)),
        same(IDS), RUN, "pair"),
)  # fmt: skip


def rotated() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif
