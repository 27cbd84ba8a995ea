"""Small pictures: their positions and sizes, and that thumbnails keep their pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from segda.errors import DataError
from segda.report.thumbnails import Line, Tile, grid, rows

RED = np.full((4, 4, 3), (255, 0, 0), dtype=np.uint8)


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_tiles_fill_columns_then_rows() -> None:
    picture = decoded(grid([Tile(RED), Tile(None), Tile(RED)], columns=2, width=8))
    assert picture.shape == (2 * (8 + 6) + 6, 2 * (8 + 6) + 6, 3)
    assert (picture[6:14, 6:14] == (255, 0, 0)).all()
    assert (picture[6:14, 20:28] == (240, 240, 242)).all(), "an empty frame"
    assert (picture[20:28, 6:14] == (255, 0, 0)).all()
    assert (picture[20:28, 20:28] == 255).all()


def test_thumbnails_grow_without_a_blur_and_photographs_shrink() -> None:
    checked = np.zeros((2, 2, 3), dtype=np.uint8)
    checked[0, 0] = checked[1, 1] = 255
    picture = decoded(grid([Tile(checked)]))
    assert set(np.unique(picture)) == {0, 255}
    assert picture.shape[1] == 96 + 12
    assert decoded(grid([Tile(np.zeros((300, 600, 3), dtype=np.uint8))])).shape[:2] == (130 + 12, 260 + 12)


def test_lines_are_below_in_the_colour_of_their_tone() -> None:
    picture = decoded(grid([Tile(RED, [Line("seven"), Line("nine", "bad")])], width=96)).astype(int)
    dark = (picture < 60).all(axis=2)
    assert dark[102:121].any()
    assert not dark[:102].any()
    reddish = (picture[121:, :, 0] > 150) & (picture[121:, :, 1] < 80)
    assert reddish.any()


def test_rows_have_their_title_to_the_left() -> None:
    picture = decoded(rows([("source", [Tile(RED)] * 2), ("translated", [Tile(RED)])], width=8))
    margin = 10 + 8 * len("translated")
    assert picture.shape[1] == margin + 2 * (8 + 6) + 6
    assert (picture[6:14, margin : margin + 8] == (255, 0, 0)).all()
    assert (picture[:, :margin] < 100).any()


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(DataError, match="no picture"):
        grid([Tile(None)])
    with pytest.raises(DataError, match="float64"):
        grid([Tile(np.zeros((4, 4, 3)))])
