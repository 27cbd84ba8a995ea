"""The page: needs no other file, and shows the run's results."""

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from segda.label_space import LabelSpace
from segda.report import page as pages
from segda.report.page import Agreement, DataState, Illustration, ReportContent, StageState, render, write
from segda.report.pictures import Picture, PictureRow, Scene
from segda.report.table import Result, tone
from segda.report.thumbnails import Line, Tile
from tests.hostile.pages import Parsed

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def content(tmp_path: Path, space: LabelSpace, evaluation: Make, photograph: np.ndarray) -> ReportContent:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"step": 0, "losses": {"generator.cycle": 1.5}, "measures": {}}))
    return ReportContent(
        title="streets",
        space=space,
        seeds=[7],
        created="2025-01-02",
        command="segda run streets",
        results=[Result("source only", [evaluation(2, data_fingerprint="abc")]),
                 Result("both", [evaluation(7, data_fingerprint="abc", resize=None)])],
        stages=[StageState("translate", "translate", "resumed", 3725.0, "runs/translate-0a1b2c3d")],
        logs={"translate": log, "align": tmp_path / "absent.jsonl"},
        scenes=[Scene("town/1", photograph, *np.ones((3, 20, 40), np.uint8))],
        usage=[("To predict.", "segda predict streets image.jpg -o out")],
        versions={"segda": "0.1"},
        confused=["both"],
        datasets=[DataState("gta5", "train", "0123abcd", ["translate", "source"])],
    )  # fmt: skip


def test_write_leaves_page_table_and_pictures(tmp_path: Path, content: ReportContent) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    files = write(folder, content)
    names = ["bars.png", "pictures.png", "report.html", "table.csv", "table.json", "table.txt"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in files) == names
    assert json.loads((folder / "table.json").read_text())["columns"] == ["source only", "both"]
    assert "road,20.0,70.0,+50.0" in (folder / "table.csv").read_text()
    assert Image.open(folder / "pictures.png").size[0] == 6 * 328 + 8


def test_the_staircase_is_a_file_where_there_is_a_gap(tmp_path: Path, content: ReportContent, evaluation: Make) -> None:
    oracle = Result("labels", [evaluation(9, trained_on_target_labels=True)])
    write(tmp_path, replace(content, results=[*content.results, oracle]))
    assert Image.open(tmp_path / "gap.png").size == (1065, 489)


def test_page_shows_scores_stages_and_protocol(content: ReportContent) -> None:
    text = re.sub(r"\s+", " ", Parsed(render(content)).text)
    for expected in (
        "streets", "seed 7 · 2025-01-02 · 1 h 2 min of work", "segda run streets", "Best adapted row: 'both'",
        "To predict. segda predict streets image.jpg -o out",
        "resumed", "runs/translate-0a1b2c3d", "generator: cycle", "left out of the mean: sky", "segda 0.1",
        "not measured alike: resize differs", "data fingerprint abc", "row resize source only 32 × 64 both none",
        "gta5 train translate, source 0123abcd",
    ):  # fmt: skip
        assert expected in text, expected
    assert "nan" not in re.sub(r"<script>.*", "", render(content), flags=re.DOTALL).lower()
    assert re.search(r"road 20\.0 70\.0 \+50\.0", text)
    assert re.search(r"sky – –", text)


@pytest.mark.promise("report-escapes")
def test_page_stands_alone(content: ReportContent) -> None:
    page = Parsed(render(content))
    assert not {"link", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert [attributes for tag, attributes in page.elements if tag == "script"] == [{}], "one, and it is in the page"
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "style"):
            value = attributes.get(name) or ""
            assert not re.search(r"^//|https?:|file:|url\((?!#)", value), (tag, value)
    assert "@import" not in render(content)


def test_embedded_pictures_decode(content: ReportContent) -> None:
    images = [attributes for tag, attributes in Parsed(render(content)).elements if tag == "img"]
    titles = ("before adaptation", "after adaptation", "target", "label", *(f"errors {when} adaptation" for when in (
        "before", "after",
    )))  # fmt: skip
    assert [image["alt"] for image in images] == [f"{title}, town/1" for title in titles]
    for image in images:
        data = (image["src"] or "").split("base64,")[1]
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (40, 20)
        assert (image["width"], image["height"]) == ("40", "20")


def test_pictures_of_whole_images_have_their_lines_and_an_empty_frame_has_no_image(
    tmp_path: Path, content: ReportContent, photograph: np.ndarray
) -> None:
    tiles = [Tile(photograph, [Line("seven"), Line("before: one", "bad"), Line("after: seven", "good")]), Tile(None)]
    changed = replace(content, scenes=[], predictions=tiles, translations=[("source as target", [Tile(photograph)])])
    page = Parsed(render(changed))
    assert [attributes["alt"] for tag, attributes in page.elements if tag == "img"] == [
        "seven, before: one, after: seven",
        "source as target",
    ]
    assert "seven ✗ before: one ✓ after: seven" in re.sub(r"\s+", " ", page.text)
    names = {path.name for path in write(tmp_path, changed)}
    assert {"predictions.png", "samples.png"} <= names
    assert "pictures.png" not in names


def test_illustrations_are_files_and_drawn_in_the_page(tmp_path: Path, content: ReportContent) -> None:
    figure = Figure(figsize=(2, 1))
    figure.text(0, 0, "a word", color="#111317")
    files = write(tmp_path, replace(content, illustrations=[Illustration("embedding", "Features", "PCA.", figure)]))
    assert (tmp_path / "embedding.png") in files
    assert Image.open(tmp_path / "embedding.png").size == (288, 144)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    drawn = html[html.index('<h2 id="embedding">Features</h2>') :]
    drawn = drawn[: drawn.index("</svg>")]
    assert "PCA." in drawn
    assert "a word" in drawn
    assert "currentColor" in drawn, "it takes the page's colour"
    assert "fill: #ffffff" not in drawn, "no white paper"


def test_oracles_are_upper_bounds_and_the_best_adapted_row_is_marked(content: ReportContent, evaluation: Make) -> None:
    oracle = Result("labels", [evaluation(9, trained_on_target_labels=True)])
    html = render(replace(content, results=[*content.results, oracle]))
    cards = re.findall(r"<div( class=\"best\")?><span>(.*?)</div>", html, flags=re.DOTALL)
    texts = [(bool(best), re.sub(r"\s+", " ", re.sub("<.*?>", " ", text)).strip()) for best, text in cards]
    assert texts == [
        (False, "source only 37.8 mIoU"), (True, "both 73.5 mIoU, +35.7 best adapted"),
        (False, "labels 90.5 mIoU, +52.7 upper bound"),
    ]  # fmt: skip
    assert re.search(r'<th scope="col">labels\s*<small class="mark">upper bound</small>', html)
    assert not re.search(r'<th scope="col">both\s*<small', html)


def test_the_page_is_the_same_every_time(content: ReportContent) -> None:
    assert render(content) == render(content)


def test_an_empty_run_still_has_a_page(space: LabelSpace, tmp_path: Path) -> None:
    assert [path.name for path in write(tmp_path, ReportContent(title="nothing yet", space=space))] == ["report.html"]
    page = Parsed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "nothing yet" in page.text
    assert "h2" not in {tag for tag, _ in page.elements}


@pytest.mark.parametrize(("seconds", "text"), [
    (None, "–"), (0.04, "0.0 s"), (9.96, "10.0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (725, "12 min 5 s"),
    (12000, "3 h 20 min"),
])  # fmt: skip
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert pages.duration(seconds) == text


def test_a_gain_that_is_shown_as_zero_is_neither_up_nor_down() -> None:
    assert [tone(gain) for gain in (0.01, 0.0004, 0.0, -0.0004, -0.01)] == ["up", "", "", "", "down"]


def test_a_confusion_is_normalised_by_the_label_and_summed_over_the_seeds(evaluation: Make) -> None:
    """Of 20 road pixels 2 and 7 are right; all 20 car pixels are; there is no sky."""
    matrix = pages.confusion(Result("both", [evaluation(2), evaluation(7)]))
    assert matrix["classes"] == ["road", "car", "sky"]
    assert matrix["rows"] == [[0.45, 0.55, 0.0], [0.0, 1.0, 0.0], [None] * 3]


def test_a_share_is_rounded_and_never_shown_as_zero(content: ReportContent, evaluation: Make) -> None:
    """Of 200 road pixels one is taken for sky, of 201 car pixels one for road: half a percent, and a little less."""
    result = evaluation(10)
    result["confusion"]["counts"] = [[199, 0, 1], [1, 200, 0], [0, 0, 4]]
    page = render(replace(content, results=[Result("both", [result])]))
    texts = re.findall(r"<td[^>]* style=\"--share: [\d.]+\">([^<]*)</td>", page)
    assert texts == ["100", "", "1", "", "100", "", "", "", "100"]


def test_the_page_shows_the_confusion_of_the_named_rows_alone(content: ReportContent) -> None:
    page = render(content)
    assert page.count('<table class="confusion">') == 1
    cells = re.findall(r"<td( class=\"same\")? style=\"--share: ([\d.]+)\">([^<]*)</td>", page)
    assert [text for _, _, text in cells] == ["70", "30", "", "", "100", "", "", "", "–"]
    assert [number for number, (same, _, _) in enumerate(cells) if same] == [0, 4, 8]
    assert [share for _, share, _ in cells[:4]] == ["0.700", "0.300", "0.000", "0.000"]


def test_the_worst_agreement_is_shown_where_an_export_was_judged(
    content: ReportContent, photograph: np.ndarray
) -> None:
    assert "Label agreement" not in render(content)
    agreement = Agreement(
        "adapted", (0.512, 0.6, None), [("road", (0.9, 0.8, 0.7)), ("sky", (None, None, None))],
        [("town/7", (0.125, 0.5, 0.25))], [PictureRow("town/7: 12.5", [Picture("translated", photograph)])], 0.2, 3,
    )  # fmt: skip
    text = re.sub(r"\s+", " ", Parsed(render(replace(content, agreements=[agreement]))).text)
    for expected in (
        "adapted: agreement 51.2", "Least agreement allowed: 20.0; 3 images were left out", "town/7 12.5 50.0 25.0",
        "sky – – –", "town/7: 12.5",
    ):  # fmt: skip
        assert expected in text, expected


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (5, 5), (6, 3), (9, 5)])
def test_many_pictures_of_a_row_make_two_lines(
    content: ReportContent, photograph: np.ndarray, count: int, columns: int
) -> None:
    row = PictureRow("", [Picture(str(number), photograph) for number in range(count)])
    agreement = Agreement("adapted", (0.5,) * 3, [], [], [row])
    assert f'style="--columns: {columns}"' in render(replace(content, agreements=[agreement]))


def test_summary_rows_stay_below_whatever_is_sorted(content: ReportContent) -> None:
    page = render(content)
    foot = page[page.index("<tfoot>") : page.index("</tfoot>")]
    assert re.findall(r'<th scope="row">(.*?)</th>', foot)[0] == "mIoU"
    assert 'data-value="0.2"' in page[: page.index("<tfoot>")]


def test_categories_have_a_table_of_their_own(content: ReportContent, evaluation: Make) -> None:
    assert "category IoU" not in Parsed(render(content)).text
    groups = {"categories": ["ground", "ground", "sky"]}
    results = [Result(name, [evaluation(right, **groups)]) for name, right in (("source only", 2), ("both", 7))]
    html = render(replace(content, results=results))
    own = html[html.index("<h3>category IoU</h3>") :]
    own = own[: own.index("</section>")]
    text = Parsed(own).text.split()
    assert text[text.index("ground") :][:4] == ["ground", "100.0", "100.0", "0.0"]
    assert '<table class="scores sortable">' in own
