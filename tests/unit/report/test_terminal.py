"""The table in a terminal: fits its width, shows every score, and has no colours in a pipe."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from segda.report.table import Result, build
from segda.report.terminal import renderable, to_text

Make = Callable[..., dict[str, Any]]
STAGES = ("source only", "pixel level", "feature level", "pixel + feature", "oracle")


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(name))


@pytest.mark.parametrize(("stages", "seeds"), [(1, 1), (5, 1), (5, 3), (8, 3), (14, 1), (40, 3)])
@pytest.mark.parametrize("width", [60, 100])
def test_every_score_is_shown_within_the_width(evaluation: Make, stages: int, seeds: int, width: int) -> None:
    results = [
        Result(f"stage {index}", [evaluation((index + seed) % 10) for seed in range(seeds)]) for index in range(stages)
    ]
    text = to_text(build(results), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    scores = " ".join(line for line in text.splitlines() if line.startswith("road"))
    values = re.findall(r"(?<![±+\-\d.])\d+\.\d", scores)
    expected = [sum((index + seed) % 10 for seed in range(seeds)) / seeds * 10 for index in range(stages)]
    assert values == [f"{value:.1f}" for value in expected]


def test_five_stages_show_gains_and_three_seeds_their_spread_in_100_columns(evaluation: Make) -> None:
    results = [Result(name, [evaluation(index + seed) for seed in range(3)]) for index, name in enumerate(STAGES)]
    text = to_text(build(results))
    gains = "".join(f" {score}.0 ±10.0 +{score - 10}.0" for score in (20, 30, 40, 50))
    assert line_of(text, "road").split() == f"road 10.0 ±10.0{gains}".split()
    assert "do not fit" not in text


def test_parts_that_do_not_fit_are_named(evaluation: Make) -> None:
    results = [Result(f"s{index}", [evaluation(index), evaluation(index + 1)]) for index in range(5)]
    table = build(results)
    assert "spreads do not fit in 80 columns" in to_text(table, 80)
    assert "gains and spreads do not fit in 50 columns" in to_text(table, 50)
    assert "+" not in to_text(table, 50)


def test_absent_classes_are_a_dash(evaluation: Make) -> None:
    text = to_text(build([Result(name, [evaluation(3)]) for name in STAGES]))
    assert line_of(text, "sky").split() == ["sky", *"–––––"]
    assert "– absent" in text
    assert "nan" not in text.lower()


def test_a_file_gets_no_colours_and_a_terminal_does(evaluation: Make) -> None:
    table = build([Result("a", [evaluation(3)]), Result("b", [evaluation(5)]), Result("c", [evaluation(1)])])
    plain, coloured = io.StringIO(), io.StringIO()
    Console(file=plain, width=100).print(renderable(table))
    Console(file=coloured, width=100, force_terminal=True, color_system="standard").print(renderable(table))
    assert "\x1b" not in plain.getvalue()
    road = line_of(coloured.getvalue(), "road")
    assert "\x1b[32m +20.0" in road
    assert "\x1b[31m -20.0" in road


def test_sections_are_under_their_titles_between_the_classes_and_the_summary(evaluation: Make) -> None:
    groups = {"categories": ["ground", "ground", "sky"], "subspaces": {"two": ["road", "car"]}}
    text = to_text(build([Result("a", [evaluation(2, **groups)]), Result("b", [evaluation(7, **groups)])]))
    lines = [line.rstrip() for line in text.splitlines()]
    names = [line.split("  ")[0] for line in lines if line and not line.startswith("─")]
    assert names[1:10] == ["road", "car", "sky", "category IoU", "ground", "sky", "mIoU", "mIoU two", "category mIoU"]
    assert lines[lines.index("category IoU") - 1].startswith("──") or not lines[lines.index("category IoU") - 1]
    assert line_of(text, "mIoU two").split()[2:] == ["37.8", "73.5", "+35.7"]
    assert line_of(text, "ground").split() == ["ground", "100.0", "100.0", "0.0"]
