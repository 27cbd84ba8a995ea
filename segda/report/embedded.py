"""Pictures as data URLs, for a page that needs no other file."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

from segda.label_space import LabelSpace
from segda.report.pictures import Picture, PictureRow, Scene, encode, single
from segda.report.thumbnails import Line, Tile

LARGE, SMALL = 1024, 640
"""The most pixels in width of a picture of a scene, and of another one."""
_COARSE = {"map": 640, "photograph": 64}
"""Pictures below this width are enlarged without a blur."""


class Embedded(NamedTuple):
    """One picture of a page.

    Attributes:
        title: its caption.
        url: the data URL; empty for an empty frame.
        width: in pixels.
        height: in pixels.
        style: class names of the page's style sheet.
        lines: further lines of the caption.
    """

    title: str
    url: str = ""
    width: int = 2
    height: int = 1
    style: str = ""
    lines: Sequence[Line] = ()


class EmbeddedScene(NamedTuple):
    """A scene's pictures: the predictions to compare, and image, label and errors."""

    name: str
    compared: Sequence[Embedded]
    others: Sequence[Embedded]


class EmbeddedRow(NamedTuple):
    """A row of pictures; many make two lines of `columns`."""

    name: str
    pictures: Sequence[Embedded]
    columns: int


def scene(scene: Scene, space: LabelSpace) -> EmbeddedScene:
    """A scene whose predictions can be compared at full size."""
    image, label, *predicted = (_embedded(picture, space, LARGE) for picture in scene.row().pictures)
    return EmbeddedScene(scene.name, predicted[::2], [image, label, *predicted[1::2]])


def row(row: PictureRow, space: LabelSpace) -> EmbeddedRow:
    """Pictures of one sample."""
    count = len(row.pictures)
    pictures = [_embedded(picture, space, SMALL) for picture in row.pictures]
    return EmbeddedRow(row.name, pictures, count if count <= 5 else (count + 1) // 2)


def tiles(title: str, tiles: Sequence[Tile], space: LabelSpace) -> EmbeddedRow:
    """Small pictures, each with its lines of text below it."""
    pictures = [_embedded(Picture("", tile.pixels), space, SMALL)._replace(lines=tile.lines) for tile in tiles]
    return EmbeddedRow(title, pictures, len(pictures))


def _embedded(picture: Picture, space: LabelSpace, width: int) -> Embedded:
    if picture.pixels is None:
        return Embedded(picture.title)
    kind, image = single(picture, space, width)
    options = {"quality": 88} if kind == "JPEG" else {"optimize": True}
    data = base64.b64encode(encode(image, kind, **options)).decode("ascii")
    look = "photograph" if kind == "JPEG" else "map"
    styles = ["coarse"] * (image.width < _COARSE[look]) + ["errors"] * (picture.against is not None)
    return Embedded(picture.title, f"data:image/{kind.lower()};base64,{data}", *image.size, " ".join(styles))
