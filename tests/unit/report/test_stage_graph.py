"""The stage graph: where boxes are, and which lines are drawn."""

import xml.etree.ElementTree as ElementTree

from segda.report.stage_graph import Node, columns, direct, to_svg

# Each builds on all before it that are named; `both` names `source` too, which `pixel` joins already.
CHAIN = [
    Node("source", "supervise, 5 s"),
    Node("translate", "translate, 2 min"),
    Node("adapted", "export", ["translate"]),
    Node("pixel", "supervise", ["adapted", "source"]),
    Node("both", "align", ["pixel", "source", "elsewhere"]),
    Node("evaluate", "evaluate", ["source", "pixel", "both"]),
]
SVG = "{http://www.w3.org/2000/svg}"


def test_a_stage_is_right_of_all_that_it_builds_on() -> None:
    assert columns(CHAIN) == {"source": 0, "translate": 0, "adapted": 1, "pixel": 2, "both": 3, "evaluate": 4}


def test_lines_between_stages_that_a_chain_joins_are_left_out() -> None:
    assert direct(CHAIN) == [
        ("translate", "adapted"), ("adapted", "pixel"), ("source", "pixel"), ("pixel", "both"), ("both", "evaluate"),
    ]  # fmt: skip


def test_boxes_do_not_overlap() -> None:
    nodes = [Node("root", "a"), *(Node(f"stage {number}", "align", ["root"]) for number in range(5))]
    drawn = ElementTree.fromstring(str(to_svg(nodes)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    boxes = [tuple(float(box.get(side, "")) for side in ("x", "y", "width", "height"))
             for box in drawn.iter(f"{SVG}rect")]  # fmt: skip
    assert len(boxes) == 6
    for number, (x, y, width, height) in enumerate(boxes):
        assert 0 <= x <= float(drawn.get("width", 0)) - width
        assert 0 <= y <= float(drawn.get("height", 0)) - height
        for other_x, other_y, _, _ in boxes[:number]:
            assert abs(x - other_x) >= width or abs(y - other_y) >= height
    assert len(list(drawn.iter(f"{SVG}path"))) == 5
    assert [title.text for title in drawn.iter(f"{SVG}title")][1] == "stage 0: align"


def test_boxes_are_as_wide_as_the_longest_name_needs_up_to_a_limit() -> None:
    def drawn(name: str) -> tuple[float, str]:
        text = str(to_svg([Node("source", "supervise"), Node(name, "align")]))
        drawn = ElementTree.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
        widths = {float(box.get("width", "")) for box in drawn.iter(f"{SVG}rect")}
        return *widths, [each.text or "" for each in drawn.iter(f"{SVG}text")][2]

    assert drawn("both") == (148, "both")
    width, text = drawn("pixel-and-feature-20250101")
    assert text == "pixel-and-feature-20250101"
    assert 148 < width < 320
    width, text = drawn("x" * 100)
    assert width == 320
    assert text == "x" * 33 + "…"
