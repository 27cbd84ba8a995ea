"""Picture grids: sizes, colours, and arrays that are no pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from segda.errors import DataError
from segda.label_space import LabelSpace
from segda.report.pictures import IGNORED, RIGHT, Picture, PictureRow, grid, painted, single


def opened(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def test_grid_has_the_expected_size_and_puts_pictures_in_their_columns(
    space: LabelSpace, photograph: np.ndarray
) -> None:
    label = np.full((20, 40), 1, dtype=np.uint8)
    rows = [PictureRow("", [Picture("target", photograph), Picture("label", label), Picture("after", None)])] * 2
    image = opened(grid(rows, space, width=200))
    assert image.shape == (8 + 24 + 2 * (100 + 8) + 24 + 8, 3 * 208 + 8, 3)
    assert image[8 + 24 + 50, 8 + 100].tolist() == [200, 100, 50]
    assert image[8 + 24 + 108 + 50, 208 + 8 + 100].tolist() == list(space.palette[1])
    assert image[8 + 24 + 50, 2 * 208 + 8 + 100].tolist() == [240, 240, 242], "an empty frame"


def test_row_names_and_a_long_legend_take_room(photograph: np.ndarray) -> None:
    space = LabelSpace("many", tuple(f"a long class name {i}" for i in range(9)), ((1, 2, 3),) * 9)
    short, named = (opened(grid([PictureRow(name, [Picture("a", photograph)])], space, 300)) for name in ("", "x"))
    assert named.shape[0] == short.shape[0] + 24
    assert short.shape[0] > 8 + 24 + 158 + 4 * 24


def test_classes_are_enlarged_and_shrunk_without_blending(space: LabelSpace) -> None:
    label = np.array([[0, 1, 2, 255]], dtype=np.int64).repeat(3, axis=0)
    for width in (400, 4, 3):
        kind, data = single(label.repeat(10, axis=0).repeat(10, axis=1), space, width=width)
        colours = {tuple(pixel) for pixel in opened(data).reshape(-1, 3).tolist()}
        assert kind == "image/png"
        assert colours <= {*space.palette, (0, 0, 0)}


def test_photographs_become_small_jpegs_that_are_never_enlarged(space: LabelSpace, photograph: np.ndarray) -> None:
    kind, data = single(photograph, space, width=480)
    assert (kind, opened(data).shape) == ("image/jpeg", (20, 40, 3))
    assert opened(single(photograph, space, width=10)[1]).shape == (5, 10, 3)
    assert np.abs(opened(data).astype(int) - [200, 100, 50]).max() < 8


@pytest.mark.parametrize("array", [np.zeros((4, 4, 3)), np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8)])
def test_arrays_that_are_neither_photograph_nor_class_map_are_an_error(space: LabelSpace, array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"picture: array is .*\(4, 4"):
        grid([PictureRow("", [Picture("a", array)])], space)


def test_rows_must_have_the_same_titles(space: LabelSpace, photograph: np.ndarray) -> None:
    rows = [PictureRow("x", [Picture("a", photograph)]), PictureRow("y", [Picture("b", photograph)])]
    with pytest.raises(DataError, match="row 'y'"):
        grid(rows, space)
    with pytest.raises(DataError, match="no pictures"):
        grid([], space)


def test_an_error_map_shows_the_wrong_class_and_leaves_the_right_white(space: LabelSpace) -> None:
    predicted = np.array([[0, 1, 2], [1, 1, 0]], np.uint8)
    label = np.array([[0, 0, 255], [1, 2, 0]], np.uint8)
    errors = painted(Picture("errors", predicted, label), space)
    road, car = space.palette[:2]
    assert [tuple(map(int, pixel)) for pixel in errors.reshape(-1, 3)] == [RIGHT, car, IGNORED, RIGHT, car, RIGHT]
    assert painted(Picture("predicted", predicted), space) is predicted
    with pytest.raises(DataError, match=r"errors.*\[2, 3\] against \[1, 3\].*of one size"):
        painted(Picture("errors", predicted, label[:1]), space)


def test_the_colours_of_an_error_map_are_not_blended(space: LabelSpace) -> None:
    predicted = np.indices((40, 40)).sum(axis=0).astype(np.uint8) % 2
    picture = Picture("errors", predicted, np.zeros_like(predicted))
    allowed = {RIGHT, space.palette[1]}
    kind, data = single(painted(picture, space), space, width=13, photograph=False)
    assert kind == "image/png"
    assert {tuple(pixel) for pixel in opened(data).reshape(-1, 3).tolist()} <= allowed
    shrunk = opened(grid([PictureRow("", [picture])], space, width=13))[32:45, 8:21]
    assert {tuple(pixel) for pixel in shrunk.reshape(-1, 3).tolist()} <= allowed
