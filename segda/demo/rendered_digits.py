"""Digits drawn from fonts, written in MNIST's layout: a labelled source without annotation.

Half of them are printed in the fonts that matplotlib brings along, half drawn with the pen of Hershey's.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segda.demo import hershey_digits
from segda.files import write_whole
from segda.seeds import derive_seed

#: Of the fonts that every matplotlib brings along, those whose digits stand on the base line; by family.
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta",
    "cmr10", "cmb10", "cmss10", "cmtt10",
)  # fmt: skip
#: Height and width of a picture, as in MNIST.
SIZE = 28
#: File names of the splits in MNIST's layout.
PREFIXES = {"train": "train", "test": "t10k"}

# Glyphs are drawn and changed at this size, then shrunk, so that edges are smooth.
_LARGE = 4 * SIZE
# Height of a digit before it is stretched.
_GLYPH = 56
# Standard deviation of the wobble's displacements.
_WOBBLE = 3.0
# The positions (x, y) in the large picture at which a changed glyph is sampled, two to a pixel in each direction.
_POSITIONS = np.stack(np.meshgrid(*[np.arange(0.5, _LARGE, 2, dtype=np.float32)] * 2), axis=-1)


def write(
    folder: Path, *, train: int, test: int, seed: int, progress: Callable[[int], None] = lambda done: None
) -> None:
    """Write `train-images-idx3-ubyte` and its three companions, white digits on black as in MNIST.

    Existing files stay as they are, and each appears whole or not at all. A picture depends on nothing but the
    seed, the split and its number, of which there are `train` and `test`. `progress` gets the number of pictures done.

    Raises:
        ArtefactError: a file cannot be written.
    """
    done = 0
    for split, count in (("train", train), ("test", test)):
        images = folder / f"{PREFIXES[split]}-images-idx3-ubyte"
        labels = folder / f"{PREFIXES[split]}-labels-idx1-ubyte"
        if not (images.is_file() and labels.is_file()):
            drawn = np.zeros((count, SIZE, SIZE), dtype=np.uint8)
            digits = np.zeros(count, dtype=np.uint8)
            for index in range(count):
                drawn[index], digits[index] = draw(split, index, seed)
                progress(done + index + 1)
            write_whole(labels, idx(digits))
            write_whole(images, idx(drawn))
        else:
            progress(done + count)
        done += count


def draw(split: str, index: int, seed: int) -> tuple[np.ndarray, int]:
    """Picture `index` of a split, uint8 `[28, 28]`, white on black, and its digit, `index` modulo 10."""
    digit = index % 10
    random = np.random.default_rng(derive_seed(seed, "rendered digits", split, index))
    if random.random() < 0.5:
        glyph = _thickened(_glyph(FONTS[random.integers(len(FONTS))], digit), int(random.integers(-3, 8)))
    else:
        glyph = hershey_digits.draw(digit, _LARGE, _GLYPH, int(random.integers(4, 20)))
    height, width = random.uniform(1.1, 2.0), random.uniform(0.8, 2.0)
    angle, shear = np.deg2rad(random.uniform(-12, 12)), random.uniform(-0.35, 0.35)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    change = turn @ np.array([[1, shear], [0, 1]]) @ np.diag([width, height])
    middle = np.array([_LARGE / 2, _LARGE / 2])
    shift = random.uniform(-0.06, 0.06, size=2) * _LARGE
    # Where in the glyph each pixel comes from: the affine change backwards, and a wobble.
    backwards = np.linalg.inv(change).T.astype(np.float32)
    origins = (_POSITIONS + _wobble(random) - (middle + shift).astype(np.float32)) @ backwards
    origins += middle.astype(np.float32)
    moved = cv2.remap(glyph, origins[..., 0], origins[..., 1], cv2.INTER_LINEAR)
    small = cv2.resize(moved, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred = np.asarray(cv2.GaussianBlur(small, (0, 0), random.uniform(0.2, 1.6)), dtype=np.float32)
    faded = blurred * np.float32(random.uniform(0.75, 1.0))
    noisy = faded + random.normal(0, random.uniform(0, 12), faded.shape).astype(np.float32)
    return noisy.round().clip(0, 255).astype(np.uint8), digit


def idx(array: np.ndarray) -> bytes:
    """An array of bytes as an IDX file: two zeros, type 8, number of dimensions, sizes as big-endian int32, content."""
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">i4").tobytes()
    return head + array.astype(np.uint8).tobytes()


def _thickened(glyph: np.ndarray, pixels: int) -> np.ndarray:
    """The glyph with strokes that are wider, or thinner, by some pixels of the large picture."""
    if pixels == 0:
        return glyph
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(pixels) + 1, abs(pixels) + 1))
    return cv2.dilate(glyph, brush) if pixels > 0 else cv2.erode(glyph, brush)


def _wobble(random: np.random.Generator) -> np.ndarray:
    """A smooth random displacement of every one of `_POSITIONS`, in pixels of the large picture: `[56, 56, 2]`.

    Source: elastic distortions of Simard, Steinkraus and Platt, ICDAR 2003.
    """
    coarse = random.normal(0, _WOBBLE, (5, 5, 2)).astype(np.float32)
    return cv2.resize(coarse, _POSITIONS.shape[:2], interpolation=cv2.INTER_CUBIC)


@cache
def _glyph(font: str, digit: int) -> np.ndarray:
    """A digit in the middle of the large picture, `_GLYPH` pixels high: uint8 `[112, 112]`."""
    # Basic layout: the other engine is not part of every build of Pillow.
    drawn_by = ImageFont.truetype(str(_folder() / f"{font}.ttf"), 2 * _GLYPH, layout_engine=ImageFont.Layout.BASIC)
    text = str(digit)
    left, top, right, bottom = drawn_by.getbbox(text)
    picture = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(picture).text((-left, -top), text, fill=255, font=drawn_by)
    width = max(round(picture.width * _GLYPH / picture.height), 1)
    scaled = cv2.resize(np.asarray(picture), (width, _GLYPH), interpolation=cv2.INTER_AREA)
    large = np.zeros((_LARGE, _LARGE), dtype=np.uint8)
    up, side = (_LARGE - _GLYPH) // 2, (_LARGE - width) // 2
    large[up : up + _GLYPH, side : side + width] = scaled
    return large


@cache
def _folder() -> Path:
    import matplotlib  # only for its fonts

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"
