"""Small pictures in rows, with lines of text below each: samples of a translation, and images with predictions."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from segda.errors import DataError
from segda.report.pictures import EMPTY, PAPER, encode, height_at, resize, text_width, write_line

Tone = Literal["", "good", "bad"]

_GAP, _LINE = 6, 19
_COLOURS: dict[str, tuple[int, int, int]] = {"": (32, 33, 36), "good": (11, 122, 75), "bad": (179, 38, 30)}


class Line(NamedTuple):
    """A line of text below a tile, and whether it is good news."""

    text: str
    tone: Tone = ""


class Tile(NamedTuple):
    """One small picture: uint8 RGB `[H, W, 3]`, or `None` for an empty frame, and the lines below it."""

    pixels: np.ndarray | None
    lines: Sequence[Line] = ()


def rows(titled: Sequence[tuple[str, Sequence[Tile]]], width: int | None = None) -> bytes:
    """A PNG with one row a title, which stands to its left: sources, their translations, their reconstructions.

    A picture is `width` pixels wide, by default 96 for thumbnails and at most 260 for photographs; tiles are as far
    apart as the longest line of text needs.

    Raises:
        DataError: there is no picture, or an array is not uint8 RGB.
    """
    width = width or _default_width([tile for _, tiles in titled for tile in tiles])
    longest = max(len(title) for title, _ in titled)
    margin, right = (10 + 8 * longest, _GAP) if longest else (_GAP, 0)
    columns = max(len(tiles) for _, tiles in titled)
    texts = [line.text for _, tiles in titled for tile in tiles for line in tile.lines]
    pitch = max([width, *map(text_width, texts)]) + _GAP
    inner = [max((height_at(width, t.pixels) for t in tiles if t.pixels is not None), default=width)
             for _, tiles in titled]  # fmt: skip
    outer = [height + _LINE * max(len(tile.lines) for tile in tiles) + _GAP
             for height, (_, tiles) in zip(inner, titled, strict=True)]  # fmt: skip
    canvas = Image.new("RGB", (margin + columns * pitch + right, _GAP + sum(outer)), PAPER)
    draw = ImageDraw.Draw(canvas)
    top = _GAP
    for (title, tiles), height, step in zip(titled, inner, outer, strict=True):
        write_line(draw, (_GAP, top), title, margin)
        for column, tile in enumerate(tiles):
            left = margin + column * pitch
            size = (width, height if tile.pixels is None else height_at(width, tile.pixels))
            # The pixels of a thumbnail are what there is to see, so they are enlarged without a blur.
            picture = EMPTY if tile.pixels is None else resize(tile.pixels, size, enlarge=Image.Resampling.NEAREST)
            canvas.paste(picture, (left, top, left + size[0], top + size[1]))
            for number, line in enumerate(tile.lines):
                write_line(draw, (left, top + height + number * _LINE), line.text, pitch, _COLOURS[line.tone])
        top += step
    return encode(canvas, "PNG")


def grid(tiles: Sequence[Tile], columns: int = 8, width: int | None = None) -> bytes:
    """Tiles one after another in `columns`; see `rows`."""
    return rows([("", tiles[start : start + columns]) for start in range(0, len(tiles), columns)], width)


def _default_width(tiles: Sequence[Tile]) -> int:
    widths = [tile.pixels.shape[1] for tile in tiles if tile.pixels is not None]
    if not widths:
        raise DataError("picture tiles: no picture; give at least one")
    return 96 if max(widths) <= 96 else min(max(widths), 260)
