from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segda.data.label_decoder import LabelDecoder, names_in
from segda.errors import DataError
from segda.label_space import LabelSpace, load

SPACE = LabelSpace("small", ("road", "sky"), ((0, 0, 0), (1, 1, 1)))
CLASSES: dict[int, str | None] = {0: None, 7: "road", 8: "sky", 9: "train"}


def decoder(ids: object, ignore_from_row: float = 1.0) -> LabelDecoder:
    return LabelDecoder(SPACE, CLASSES, lambda path: np.asarray(ids), ignore_from_row)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_maps_by_name_in_every_integer_type(dtype: type) -> None:
    label = decoder(np.array([[0, 7], [8, 9]], dtype=dtype))(Path("a.png"))
    assert label.dtype == np.uint8
    assert label.tolist() == [[255, 0], [1, 255]]


@pytest.mark.parametrize(("dtype", "unknown"), [(np.uint8, 200), (np.uint16, 300), (np.int32, -1)])
def test_ids_outside_the_map_are_counted(dtype: type, unknown: int) -> None:
    ids = np.array([[7, 10, unknown], [7, 10, 10]]).astype(dtype)
    made = decoder(ids)
    assert made.unknown(ids) == {10: 3, unknown: 1}
    assert made.to_classes(ids).tolist() == [[0, 255, 255], [0, 255, 255]]
    with pytest.raises(DataError, match=r"a\.png: .*id 10 \(3 pixels\).* outside .* names 0, 7\.\.9"):
        made(Path("a.png"))


@given(arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.sampled_from([0, 7, 8, 9, 10])))
def test_the_fast_way_agrees_with_the_plain_one(ids: np.ndarray) -> None:
    made = decoder(ids)
    plain = [[{7: 0, 8: 1}.get(int(native), 255) for native in row] for row in ids]
    assert made.to_classes(ids).tolist() == plain
    assert made.to_classes(ids.astype(np.int32)).tolist() == plain
    assert bool(made.unknown(ids)) == bool((ids == 10).any())


def test_rows_are_ignored_by_share_of_the_height() -> None:
    label = decoder(np.full((10, 1), 7, dtype=np.uint8), ignore_from_row=0.75)(Path("a.png"))
    assert label[:, 0].tolist() == [0] * 8 + [255] * 2


def test_names_are_put_into_the_spaces_words() -> None:
    theirs: dict[int, str | None] = {1: "sidewalk", 2: "person", 3: "car", 4: None, 5: "tree", 6: "train"}
    in_camvid = {1: "pavement", 2: "pedestrian", 3: "car", 4: None, 5: "tree", 6: "train"}
    assert names_in(load("camvid"), theirs) == in_camvid
    assert names_in(load("cityscapes"), theirs)[5] == "vegetation"
    assert names_in(load("cityscapes"), theirs)[1] == "sidewalk", "the space's own name stays"
