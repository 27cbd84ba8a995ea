"""Picture grids: sizes, colours, and arrays that are no pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from segda.errors import DataError
from segda.label_space import LabelSpace
from segda.report.pictures import IGNORED, RIGHT, Picture, PictureRow, Scene, grid, painted, single


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
        kind, image = single(Picture("label", label.repeat(10, axis=0).repeat(10, axis=1)), space, width)
        colours = {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()}
        assert (kind, image.width) == ("PNG", min(width, 40))
        assert colours <= {*space.palette, (0, 0, 0)}


def test_photographs_become_jpegs_that_are_never_enlarged(space: LabelSpace, photograph: np.ndarray) -> None:
    kind, image = single(Picture("target", photograph), space, 480)
    assert (kind, image.size) == ("JPEG", (40, 20))
    assert single(Picture("target", photograph), space, 10)[1].size == (10, 5)
    assert np.abs(np.asarray(image).astype(int) - [200, 100, 50]).max() < 8


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
    kind, image = single(picture, space, 13)
    assert kind == "PNG"
    assert {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 4).tolist()} == {
        (*RIGHT, 0), (*space.palette[1], 255),
    }  # fmt: skip
    shrunk = opened(grid([PictureRow("", [picture])], space, width=13))[32:45, 8:21]
    assert {tuple(pixel) for pixel in shrunk.reshape(-1, 3).tolist()} <= allowed


def test_only_what_is_right_is_transparent(space: LabelSpace) -> None:
    """A class that is white stays visible where it is wrong; what is ignored has its own colour even if it agrees."""
    white = LabelSpace("white", space.classes, (RIGHT, *space.palette[1:]))
    predicted, label = np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 1, 255, 255]], np.uint8)
    _, image = single(Picture("errors", predicted, label), white, 4)
    assert np.asarray(image)[0].tolist() == [[*RIGHT, 0], [*RIGHT, 255], [*IGNORED, 255], [*IGNORED, 255]]


def test_a_scene_is_a_row_of_image_label_predictions_and_errors(space: LabelSpace, photograph: np.ndarray) -> None:
    label = np.zeros((20, 40), np.uint8)
    row = Scene("town/1", photograph, label, label + 1, label).row()
    assert (row.name, [picture.title for picture in row.pictures]) == ("town/1", [
        "target", "label", "before adaptation", "errors before adaptation", "after adaptation",
        "errors after adaptation",
    ])  # fmt: skip
    before, after = (painted(row.pictures[index], space) for index in (3, 5))
    assert (before == space.palette[1]).all()
    assert (after == RIGHT).all()
