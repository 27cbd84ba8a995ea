import numpy as np
import pytest

from segda.errors import ConfigError
from segda.label_space import LabelSpace, load

SMALL = LabelSpace("small", ("road", "sky"), ((1, 2, 3), (4, 5, 6)))


def test_table_maps_ids_by_class_name() -> None:
    table = SMALL.table({7: "road", 8: "road", 23: "sky", 0: None, 24: "person"})
    assert table[[7, 8, 23]].tolist() == [0, 0, 1]
    assert table[[0, 24]].tolist() == [255, 255], "ignored on purpose, and a class that the space lacks"
    assert table[9] == -1, "an id that nobody named is not the same as an ignored one"
    assert (table == -1).sum() == 256 - 5


def test_colorize_draws_the_palette_and_leaves_ignored_pixels_black() -> None:
    drawn = SMALL.colorize(np.array([[0, 1], [255, 0]], dtype=np.uint8))
    assert drawn.tolist() == [[[1, 2, 3], [4, 5, 6]], [[0, 0, 0], [1, 2, 3]]]


@pytest.mark.parametrize(
    ("classes", "palette", "says"),
    [(("a", "b"), ((0, 0, 0),), "2 classes but 1 palette"), (("a", "a"), ((0, 0, 0), (1, 1, 1)), "twice")],
)
def test_an_inconsistent_space_is_refused(classes: tuple, palette: tuple, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        LabelSpace("broken", classes, palette)


def test_load_finds_a_space_by_name_and_suggests_the_nearest() -> None:
    assert load("camvid").count == 11
    with pytest.raises(ConfigError, match="did you mean 'cityscapes'"):
        load("cityscape")
