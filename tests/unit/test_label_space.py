import json
from typing import Any

import numpy as np
import pytest

from segda.config.validation import validate_options
from segda.errors import ConfigError
from segda.label_space import LabelSpace, content, load, own

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


def written(description: dict[str, Any]) -> LabelSpace:
    """The label space of a description as YAML has it, once as it is and once as results record it."""
    space = own(**validate_options(own, description, ""))
    recorded = json.loads(json.dumps(content(space), sort_keys=True))
    assert load(recorded) == own(**validate_options(own, recorded, "")) == space
    return space


def test_classes_of_ones_own_are_in_the_order_in_which_their_names_occur() -> None:
    space = written({"classes": {"7": "sea", "0..2": "land", "10": "sea", "9": "air"}, "ignore": ["3..4", 255]})
    assert space.classes == ("sea", "land", "air")
    assert space.table(dict(space.ids))[[7, 10, 0, 1, 2, 9, 3, 4, 255, 8]].tolist() == [
        0, 0, 1, 1, 1, 2, 255, 255, 255, -1
    ]  # fmt: skip
    assert len(set(space.palette)) == 3
    assert space.ignore_index == 255


def test_a_list_of_names_has_its_indices_for_ids_unless_they_are_given() -> None:
    assert written({"classes": ["sea", "land"]}).ids == ((0, "sea"), (1, "land"))
    space = written({"classes": ["sea", "land"], "ids": {"land": 0, "sea": ["5-6", 9]}})
    assert space.classes == ("sea", "land")
    assert space.ids == ((0, "land"), (5, "sea"), (6, "sea"), (9, "sea"))


def test_colours_name_the_classes_and_draw_them() -> None:
    space = written({"colours": {"sea": [0, 0, 255], "land": [[0, 255, 0], [0, 90, 0]]}, "ignore_colours": [[9, 9, 9]]})
    assert space.palette == ((0, 0, 255), (0, 255, 0))
    assert dict(space.colours) == {(0, 0, 255): "sea", (0, 255, 0): "land", (0, 90, 0): "land", (9, 9, 9): None}
    assert not space.ids


def test_palette_things_and_categories() -> None:
    space = written({
        "classes": {"0": "no", "1": "car", "2": "bus"},
        "palette": {"bus": [3, 3, 3], "no": [1, 1, 1], "car": [2, 2, 2]},
        "things": ["bus", "car"], "categories": {"vehicle": ["bus", "car"], "rest": ["no"]},
    })  # fmt: skip
    assert space.palette == ((1, 1, 1), (2, 2, 2), (3, 3, 3))
    assert space.things == ("car", "bus")
    assert space.categories == ("rest", "vehicle", "vehicle")


def test_shipped_things_are_classes_also_of_fewer_classes() -> None:
    assert load("cityscapes").things == (
        "traffic light", "traffic sign", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    )  # fmt: skip
    assert load("synthia16").things == load("synthia13").things
    assert set(load("cityscapes").things) - set(load("synthia16").things) == {"truck", "train"}
    assert set(load("camvid").things) < set(load("camvid").classes)


def test_as_many_classes_as_fit_have_colours_that_differ() -> None:
    space = own(classes=[str(index) for index in range(255)])
    assert len(set(space.palette)) == space.count == 255


TWO = {"classes": ["a", "b"]}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "classes: found 0 names; expected 2 to 255"),
        ({"classes": {"255": "coin"}}, "classes: found 1 names"),
        ({"classes": [f"c{index}" for index in range(256)]}, "classes: found 256 names; expected 2 to 255"),
        ({"classes": ["a", "b", "a"]}, "a class name occurs twice, 'a'"),
        ({"classes": ["a", " "]}, "class name ' '"),
        ({"classes": {"0": "a", "1": True}}, "classes.1: found true; expected text; quote it"),
        ({"classes": {"a": 0, "b": 1}}, "found 0; expected text; an id stands before its name: {0: a}"),
        ({"classes": {"0..3": "a", "3": "b"}}, "id 3 is in 'a' and 'b'"),
        ({"classes": {"0": "a", "1": "b"}, "ignore": "1..9"}, "id 1 is in `classes` and `ignore`"),
        ({"classes": {"0": "a", "65536": "b"}}, "id 65536 does not fit 16 bits"),
        ({"classes": {"9..3": "a", "1": "b"}}, "'9..3' is an empty range"),
        ({"classes": {"-1": "a", "1": "b"}}, "'-1' is no id"),
        ({"classes": {"a": "0", "b": "1"}}, "'a' is no id; expected a whole number or a range, then the class's name"),
        ({**TWO, "ids": {"a": 0}}, "ids: nothing for class 'b'"),
        ({**TWO, "ids": {"a": 0, "c": 1}}, "ids: 'c' is no class"),
        ({"classes": {"0": "a", "1": "b"}, "ids": {"a": 0, "b": 1}}, "both give ids"),
        ({"classes": {"0": "a", "1": "b"}, "colours": {"a": [0, 0, 0]}}, "draw by `palette`"),
        ({"colours": {"a": [0, 0, 0], "b": [0, 0, 0]}}, "colours: [0, 0, 0]: a colour occurs twice"),
        ({"colours": {"a": [0, 0, 0], "b": [0, 0, 256]}}, "colour [0, 0, 256]; expected red, green and blue from 0 to"),
        ({**TWO, "palette": [[0, 0, 0]]}, "palette: 1 colours for 2 classes"),
        ({**TWO, "palette": {"a": [0, 0, 0]}}, "palette: nothing for class 'b'"),
        ({**TWO, "palette": [[1, 1, 1], [1, 1, 1]]}, "palette: 'a' and 'b' are both [1, 1, 1]"),
        ({**TWO, "things": ["c"]}, "things: 'c' is no class"),
        ({**TWO, "categories": {"x": ["a"]}}, "categories: nothing for class 'b'"),
        ({**TWO, "categories": {"x": ["a", "b"], "y": ["a"]}}, "categories: 'a' is in 'x' and 'y'"),
        ({**TWO, "pallete": []}, "pallete: unknown key; did you mean 'palette'?"),
        ({**TWO, "ignore_index": 0}, "ignore_index: unknown key; did you mean 'ignore'?"),
    ],
)
def test_a_wrong_description_is_refused(description: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(description)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_says_how_to_write_ones_own() -> None:
    for name in ("coins", "mycoins.coin"):
        with pytest.raises(ConfigError, match=r"name a YAML file \(labels: coins\.yaml\) that holds `classes: \{0:"):
            load(name)
