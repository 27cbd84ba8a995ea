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
from PIL import Image

from segda.label_space import LabelSpace
from segda.report import page as pages
from segda.report.page import Agreement, DataState, Illustration, ReportContent, StageState, render, write
from segda.report.pictures import Picture, PictureRow, encode
from segda.report.table import Result, tone
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
        pictures=[PictureRow("one", [
            Picture("target", photograph), Picture("label", np.ones((20, 40), np.uint8)),
            Picture("prediction after", None),
        ])],
        notes=["Half of the gap is closed."],
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
    assert Image.open(folder / "pictures.png").size[0] == 3 * 328 + 8


def test_page_shows_scores_stages_and_protocol(content: ReportContent) -> None:
    text = re.sub(r"\s+", " ", Parsed(render(content)).text)
    for expected in (
        "streets", "seed 7 · 2025-01-02 · 1 h 2 min of work", "segda run streets", "Half of the gap is closed.",
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
    assert [image["alt"] for image in images] == ["target", "label"], "an empty frame has no image"
    for image in images:
        data = (image["src"] or "").split("base64,")[1]
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (40, 20)


def test_illustrations_are_files_and_part_of_the_page(tmp_path: Path, content: ReportContent) -> None:
    png = encode(Image.new("RGB", (30, 10)), "PNG")
    files = write(tmp_path, replace(content, illustrations=[Illustration("embedding", "Features", "PCA, t-SNE.", png)]))
    assert (tmp_path / "embedding.png") in files
    assert (tmp_path / "embedding.png").read_bytes() == png
    page = Parsed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Features" in page.text
    assert "PCA, t-SNE." in page.text
    (url,) = [attributes["src"] for tag, attributes in page.elements if attributes.get("class") == "illustration"]
    assert Image.open(io.BytesIO(base64.b64decode((url or "").split("base64,")[1]))).size == (30, 10)


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
    assert f'style="--columns: {columns}"' in render(replace(content, pictures=[row]))


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
    own = html[html.index("<h3>category IoU</h3>") : html.index("</section>")]
    text = Parsed(own).text.split()
    assert text[text.index("ground") :][:4] == ["ground", "100.0", "100.0", "0.0"]
    assert '<table class="scores sortable">' in own
