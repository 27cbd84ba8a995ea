"""Pictures side by side: photographs and class maps as one labelled grid, or one by one for a page."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segda.errors import DataError
from segda.label_space import LabelSpace

_GAP = 8
_TITLE = 24  # height of a line of text, in pixels
_SWATCH = 14
_INK = (32, 33, 36)
PAPER, EMPTY = (255, 255, 255), (240, 240, 242)
RIGHT, IGNORED = (255, 255, 255), (96, 96, 96)
"""In an error map: pixels that agree, and pixels that are not compared."""


class Picture(NamedTuple):
    """One picture of a row.

    Attributes:
        title: the column's name, such as "prediction before".
        pixels: uint8 RGB `[H, W, 3]`, or integer `[H, W]` of class indices; `None` draws an empty frame.
        against: a class map of the same size. With it, an error map is drawn: the class of `pixels` where the two
            differ, white where they agree, grey where `against` is ignored.
    """

    title: str
    pixels: np.ndarray | None
    against: np.ndarray | None = None


class PictureRow(NamedTuple):
    """The pictures of one sample, such as a source image, its label and its translation."""

    name: str
    pictures: Sequence[Picture]


class Scene(NamedTuple):
    """A labelled image of the target, and what is predicted before and after adaptation.

    Attributes:
        name: the sample's key.
        image: uint8 RGB `[H, W, 3]`.
        label: class map, integer `[h, w]`.
        before: prediction before adaptation, a class map of the label's size.
        after: prediction after it.
    """

    name: str
    image: np.ndarray
    label: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def row(self) -> PictureRow:
        """Image and label, and either prediction with its errors."""
        pictures = [Picture("target", self.image), Picture("label", self.label)]
        for when, predicted in (("before", self.before), ("after", self.after)):
            pictures.append(Picture(f"{when} adaptation", predicted))
            pictures.append(Picture(f"errors {when} adaptation", predicted, self.label))
        return PictureRow(self.name, pictures)


def grid(rows: Sequence[PictureRow], space: LabelSpace, width: int = 320) -> bytes:
    """All rows as one PNG, titles above the columns, the label space's colours below.

    Every picture is `width` pixels wide; every row takes the shape of its first picture.

    Raises:
        DataError: there are no pictures, the rows differ in their titles, or an array is neither photograph nor map.
    """
    if not rows or not rows[0].pictures:
        raise DataError("picture grid: no pictures; give at least one row with one picture")
    titles = [picture.title for picture in rows[0].pictures]
    for row in rows:
        if [picture.title for picture in row.pictures] != titles:
            raise DataError(f"picture grid: row {row.name!r} has other titles than the first row; use the same in each")
    heights = [_height(row, width) for row in rows]
    total_width = len(titles) * (width + _GAP) + _GAP
    names = [_TITLE if row.name else 0 for row in rows]
    entries = _legend_positions(space, total_width)
    legend_top = _GAP + _TITLE + sum(heights) + sum(names) + _GAP * len(rows)
    canvas = Image.new("RGB", (total_width, legend_top + entries[-1][1] + _TITLE + _GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    for column, title in enumerate(titles):
        write_line(draw, (_GAP + column * (width + _GAP), _GAP), title, width)
    top = _GAP + _TITLE
    for row, height, name in zip(rows, heights, names, strict=True):
        write_line(draw, (_GAP, top), row.name, total_width - 2 * _GAP)
        top += name
        for column, picture in enumerate(row.pictures):
            left = _GAP + column * (width + _GAP)
            drawn = EMPTY if picture.pixels is None else _drawn(
                painted(picture, space), space, (width, height), picture.against is None
            )  # fmt: skip
            canvas.paste(drawn, (left, top, left + width, top + height))
        top += height + _GAP
    for (label, colour), (left, below) in zip(legend(space), entries, strict=True):
        at = (left, legend_top + below + 4)
        draw.rectangle((*at, at[0] + _SWATCH, at[1] + _SWATCH), fill=colour, outline=_INK)
        write_line(draw, (at[0] + _SWATCH + 6, at[1] - 4), label, total_width)
    return encode(canvas, "PNG")


def painted(picture: Picture, space: LabelSpace) -> np.ndarray:
    """A picture's pixels as they are, or its error map as uint8 RGB `[H, W, 3]`.

    Raises:
        DataError: the two class maps differ in size.
    """
    pixels, against = picture.pixels, picture.against
    assert pixels is not None  # an empty frame is not painted
    if against is None:
        return pixels
    if pixels.shape != against.shape or pixels.ndim != 2:
        raise DataError(
            f"picture {picture.title!r}: {list(pixels.shape)} against {list(against.shape)}; give two class maps "
            "[H, W] of one size"
        )
    drawn = space.colorize(pixels)
    drawn[against == space.ignore_index] = IGNORED
    drawn[_agree(pixels, against, space)] = RIGHT
    return drawn


def _agree(pixels: np.ndarray, against: np.ndarray, space: LabelSpace) -> np.ndarray:
    """Where two class maps agree and are compared, bool `[H, W]`."""
    agree: np.ndarray = (pixels == against) & (against != space.ignore_index)
    return agree


def single(picture: Picture, space: LabelSpace, width: int) -> tuple[str, Image.Image]:
    """A picture as a page shows it, at most `width` pixels wide: "JPEG" for a photograph, else "PNG", and the image.

    Pixels that an error map leaves white are transparent, so that they take the page's colour.

    Raises:
        DataError: it is neither photograph nor class map, or an error map's two class maps differ in size.
    """
    pixels = painted(picture, space)
    width = min(width, pixels.shape[1])
    size = (width, height_at(width, pixels))
    photograph = pixels.ndim == 3 and picture.against is None
    image = _drawn(pixels, space, size, photograph)
    if picture.pixels is not None and picture.against is not None:
        shown = np.where(_agree(picture.pixels, picture.against, space), 0, 255).astype(np.uint8)
        image.putalpha(Image.fromarray(shown).resize(size, Image.Resampling.NEAREST))
    return "JPEG" if photograph else "PNG", image


def legend(space: LabelSpace) -> list[tuple[str, tuple[int, int, int]]]:
    """Names and colours of a label space, with the ignored pixels' black at the end."""
    return [*zip(space.classes, space.palette, strict=True), ("ignored", (0, 0, 0))]


def resize(
    pixels: np.ndarray,
    size: tuple[int, int],
    enlarge: Image.Resampling = Image.Resampling.BILINEAR,
    shrink: Image.Resampling = Image.Resampling.BOX,
) -> Image.Image:
    """uint8 RGB `[H, W, 3]` at `size` (width, height).

    Raises:
        DataError: the array is of another type or shape.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise DataError(
            f"picture: array is {pixels.dtype} {pixels.shape}; give uint8 RGB [H, W, 3], or integers [H, W] of classes"
        )
    return Image.fromarray(np.ascontiguousarray(pixels)).resize(size, enlarge if size[0] > pixels.shape[1] else shrink)


def height_at(width: int, pixels: np.ndarray) -> int:
    """The height of a picture that is scaled to `width`."""
    return max(1, round(pixels.shape[0] * width / pixels.shape[1]))


def _drawn(pixels: np.ndarray, space: LabelSpace, size: tuple[int, int], photograph: bool) -> Image.Image:
    """A photograph or a class map at `size` (width, height); classes are never blended into each other."""
    if pixels.ndim == 2 and pixels.dtype.kind in "iu":
        pixels, photograph = space.colorize(pixels), False
    nearest = Image.Resampling.NEAREST
    return resize(pixels, size) if photograph else resize(pixels, size, nearest, nearest)


def _height(row: PictureRow, width: int) -> int:
    """The row's height: that of its first picture at the given width."""
    arrays = (picture.pixels for picture in row.pictures if picture.pixels is not None)
    return next((height_at(width, pixels) for pixels in arrays), width // 2)


def _legend_positions(space: LabelSpace, width: int) -> list[tuple[int, int]]:
    """Left and top of each legend entry, wrapped into `width`."""
    positions, left, top = [], _GAP, 0
    for name, _ in legend(space):
        needed = _SWATCH + 6 + text_width(name) + 2 * _GAP
        if left > _GAP and left + needed > width:
            left, top = _GAP, top + _TITLE
        positions.append((left, top))
        left += needed
    return positions


def write_line(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, width: int, colour: tuple[int, int, int] = _INK
) -> None:
    """A line of text at (left, top), cut with an ellipsis where it is wider than `width` pixels."""
    font = _font()
    if font.getlength(text) > width:
        while text and font.getlength(f"{text}…") > width:
            text = text[:-1]
        text += "…"
    draw.text((at[0], at[1] + 2), text, fill=colour, font=font)


def text_width(text: str) -> int:
    """The width of a line of text in pixels."""
    return math.ceil(_font().getlength(text))


def _font() -> ImageFont.FreeTypeFont:
    # matplotlib brings a font with it, so the picture is the same on a machine that has none.
    # A text, since Pillow takes no Path before 10.1.
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 14)


def encode(image: Image.Image, kind: str, **options: int) -> bytes:
    """The image as a file of the given kind, such as "PNG"."""
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()
