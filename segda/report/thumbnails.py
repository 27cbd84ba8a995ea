"""Small pictures in rows with a word to each: samples of a translation, and images with what was predicted for them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from segda.errors import DataError
from segda.report.pictures import encoded, write_line

Tone = Literal["", "good", "bad"]

_GAP, _LINE = 6, 19
_PAPER, _EMPTY = (255, 255, 255), (240, 240, 242)
_COLOURS: dict[str, tuple[int, int, int]] = {"": (32, 33, 36), "good": (11, 122, 75), "bad": (179, 38, 30)}


class Line(NamedTuple):
    """A line of text under a tile, and whether it is good news."""

    text: str
    tone: Tone = ""


class Tile(NamedTuple):
    """One small picture: uint8 RGB `[H, W, 3]`, or `None` for an empty place, and the lines below it."""

    pixels: np.ndarray | None
    lines: Sequence[Line] = ()


def rows(titled: Sequence[tuple[str, Sequence[Tile]]], width: int | None = None) -> bytes:
    """A row for each title, which stands to its left; as for sources, their translations and reconstructions.

    Args:
        titled: title and tiles of each row.
        width: of a tile, in pixels; without it, 96 for thumbnails and at most 260 for photographs.

    Returns:
        A PNG.

    Raises:
        DataError: there is no picture, or an array is no uint8 RGB.
    """
    width = width or _fitting([tile for _, tiles in titled for tile in tiles])
    margin = 10 + 8 * max(len(title) for title, _ in titled)
    columns = max(len(tiles) for _, tiles in titled)
    tops, top = [], _GAP
    for _, tiles in titled:
        tops.append(top)
        top += _height(tiles, width) + _GAP
    canvas = Image.new("RGB", (margin + columns * (width + _GAP) + _GAP, top), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for (title, tiles), place in zip(titled, tops, strict=True):
        write_line(draw, (_GAP, place), title, margin)
        for column, tile in enumerate(tiles):
            _paste(canvas, draw, tile, (margin + column * (width + _GAP), place), width, _picture_height(tiles, width))
    return encoded(canvas, "PNG")


def grid(tiles: Sequence[Tile], columns: int = 8, width: int | None = None) -> bytes:
    """Tiles one after another in `columns`; arguments, answer and errors as in `rows`."""
    width = width or _fitting(tiles)
    parts = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    height = max(_height(part, width) for part in parts)
    shape = (min(columns, len(tiles)) * (width + _GAP) + _GAP, len(parts) * (height + _GAP) + _GAP)
    canvas = Image.new("RGB", shape, _PAPER)
    draw = ImageDraw.Draw(canvas)
    inner = max(_picture_height(part, width) for part in parts)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        _paste(canvas, draw, tile, (_GAP + column * (width + _GAP), _GAP + row * (height + _GAP)), width, inner)
    return encoded(canvas, "PNG")


def _paste(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, tile: Tile, place: tuple[int, int], width: int, height: int
) -> None:
    if tile.pixels is None:
        draw.rectangle((*place, place[0] + width - 1, place[1] + height - 1), fill=_EMPTY)
    else:
        canvas.paste(_drawn(tile.pixels, width), place)
    for number, line in enumerate(tile.lines):
        write_line(draw, (place[0], place[1] + height + number * _LINE), line.text, width, _COLOURS[line.tone])


def _drawn(pixels: np.ndarray, width: int) -> Image.Image:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise DataError(f"picture tile: array is {pixels.dtype} {pixels.shape}; give uint8 RGB [H, W, 3]")
    size = (width, _scaled_height(pixels, width))
    # The pixels of a thumbnail are what there is to see; a photograph is made smaller.
    rule = Image.Resampling.NEAREST if width > pixels.shape[1] else Image.Resampling.BOX
    return Image.fromarray(np.ascontiguousarray(pixels)).resize(size, rule)


def _fitting(tiles: Sequence[Tile]) -> int:
    widths = [tile.pixels.shape[1] for tile in tiles if tile.pixels is not None]
    if not widths:
        raise DataError("picture tiles: no picture; give at least one")
    return 96 if max(widths) <= 96 else min(max(widths), 260)


def _scaled_height(pixels: np.ndarray, width: int) -> int:
    return max(1, round(pixels.shape[0] * width / pixels.shape[1]))


def _picture_height(tiles: Sequence[Tile], width: int) -> int:
    return max((_scaled_height(tile.pixels, width) for tile in tiles if tile.pixels is not None), default=width)


def _height(tiles: Sequence[Tile], width: int) -> int:
    return _picture_height(tiles, width) + _LINE * max(len(tile.lines) for tile in tiles)
