"""Pictures in a page: which ones, at which size, in which form."""

import base64
import io

import numpy as np
from PIL import Image

from segda.label_space import LabelSpace
from segda.report import embedded
from segda.report.embedded import Embedded
from segda.report.pictures import Picture, PictureRow, Scene
from segda.report.thumbnails import Line, Tile


def opened(picture: Embedded) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture.url.split("base64,")[1])))


def test_a_scene_has_predictions_to_compare_and_the_others_beside_them(space: LabelSpace) -> None:
    image, label = np.zeros((600, 1200, 3), np.uint8), np.zeros((300, 600), np.uint8)
    scene = embedded.scene(Scene("town/1", image, label, label + 1, label), space)
    assert [picture.title for picture in scene.compared] == ["before adaptation", "after adaptation"]
    titles = ["target", "label", "errors before adaptation", "errors after adaptation"]
    assert [picture.title for picture in scene.others] == titles
    before = opened(scene.compared[0])
    assert (before.format, before.size) == ("PNG", (600, 300))
    assert before.convert("RGB").getpixel((0, 0)) == space.palette[1]
    photograph = scene.others[0]
    assert (opened(photograph).format, opened(photograph).size) == ("JPEG", (1024, 512)), "never larger than that"
    assert (photograph.width, photograph.height) == (1024, 512)
    assert [opened(errors).getpixel((0, 0))[3] for errors in scene.others[2:]] == [255, 0], "what is right is clear"
    assert [picture.style for picture in scene.others] == ["", "coarse", "coarse errors", "coarse errors"]


def test_rows_are_smaller_and_an_empty_frame_has_no_url(space: LabelSpace) -> None:
    row = embedded.row(PictureRow("x", [Picture("a", np.zeros((400, 800, 3), np.uint8)), Picture("b", None)]), space)
    assert opened(row.pictures[0]).size == (640, 320)
    assert row.pictures[1].url == ""
    assert (row.name, row.columns) == ("x", 2)


def test_tiles_keep_their_lines_and_thumbnails_their_pixels(space: LabelSpace) -> None:
    lines = [Line("seven"), Line("after: seven", "good")]
    row = embedded.tiles("source", [Tile(np.zeros((16, 16, 3), np.uint8), lines)] * 3, space)
    assert row.columns == 3
    assert row.pictures[0].lines == lines
    assert (row.pictures[0].style, opened(row.pictures[0]).size) == ("coarse", (16, 16))
