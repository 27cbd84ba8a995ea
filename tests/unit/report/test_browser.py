"""The page in a real browser: no errors, pictures that slide and grow, tables that sort, text that can be read."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from segda.evaluation.evaluate import Evaluation
from segda.label_space import LabelSpace
from segda.label_spaces.cityscapes import SPACE
from segda.metrics.mean_iou import Confusion
from segda.report.page import Agreement, DataState, Illustration, ReportContent, StageState, write
from segda.report.pictures import Picture, PictureRow, Scene
from segda.report.table import Result
from segda.report.thumbnails import Line, Tile
from tests.unit.report.conftest import open_page

ROWS = ("source only", "pixel", "feature", "pixel+feature", "oracle")
WALL = SPACE.classes.index("wall")
EVIL = "<script>document.title = 'owned'</script>"

# Every element with text of its own: its colour and its background, as the browser computed both.
TEXTS = """() => {
  const parse = (colour) => {
    const numbers = colour.match(/[\\d.e-]+/g).map(Number);
    const scale = colour.startsWith("color(") ? 255 : 1;
    return [...numbers.slice(0, 3).map((part) => part * scale), numbers[3] ?? 1];
  };
  const texts = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("").trim();
    if (!own || ["SCRIPT", "STYLE", "title"].includes(element.tagName) || !element.getClientRects().length) continue;
    const drawn = element instanceof SVGElement;
    const colour = parse(drawn ? getComputedStyle(element).fill : getComputedStyle(element).color);
    let behind = drawn ? element.parentElement.querySelector(":scope > rect") : null;
    let ground = behind ? parse(getComputedStyle(behind).fill) : [0, 0, 0, 0];
    for (let node = element; node && ground[3] === 0; node = node.parentElement)
      ground = parse(getComputedStyle(node).backgroundColor);
    texts.push({ text: own.slice(0, 40), tag: element.tagName, colour, ground });
  }
  return texts;
}"""
OPENED = "for (const each of document.querySelectorAll('details')) each.open = true"
COLUMN = """([table, column]) =>
  [...document.querySelector(table).tBodies[0].rows].map((row) => row.cells[column].textContent.trim())"""


def evaluation(score: float) -> dict[str, Any]:
    """Class k is right in `score - k` percent of a thousand pixels, else taken for road, road for car; no wall."""
    confusion = Confusion(SPACE.classes)
    for index in range(SPACE.count):
        if index != WALL:
            confusion.counts[index, index] = right = int(10 * (score - index))
            confusion.counts[index, 0 if index else 13] += 1000 - right
    protocol = {
        "trained_on_target_labels": score > 60,
        "dataset": "cityscapes", "images": 500, "resize": [512, 1024], "data_fingerprint": "0f" * 32,
        "steps": int(score),
        "network_fingerprints": {"encoder.safetensors": "ab" * 32, "head.safetensors": f"{int(score):02d}" * 32},
    }  # fmt: skip
    return Evaluation(confusion, 500, protocol).to_json()


def drawn(seed: int, shape: tuple[int, ...], most: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, most, shape, dtype=np.uint8).repeat(8, 0).repeat(8, 1)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of the size of a real one with every section, and a script for a name."""
    folder = tmp_path_factory.mktemp("page")
    log = folder / "log.jsonl"
    log.write_text("\n".join(json.dumps({
        "step": step, "losses": {"generator.cycle": 1 / (step + 1)}, "measures": {"cycle.accuracy": 0.5},
        "learning_rate": {"generator": 0.1, "discriminator": 0.2},
    }) for step in range(40)))  # fmt: skip
    photograph, label, wrong = drawn(0, (16, 32, 3), 255), drawn(1, (16, 32), 19), drawn(2, (16, 32), 19)
    label[:16] = 255
    pictures = PictureRow(
        EVIL, [Picture("source", photograph), Picture("changed", wrong, label), Picture("left out", None)]
    )
    figure = Figure(figsize=(4, 3))
    figure.text(0.02, 0.5, EVIL, color="#111317", fontsize=8)
    stages = [StageState("source", "supervise", "done", 61.0, "supervise-0a1b2c3d")]
    for number in range(1, 8):
        before = ["source", stages[-1].name]
        stages.append(StageState(f"stage {number}", "align", "done", 7.0 * number, "align-0a1b2c3d", before))
    shares = (0.5, 0.4, 0.3)
    write(folder, ReportContent(
        title=EVIL, space=LabelSpace(SPACE.name, SPACE.classes, SPACE.palette), seeds=[0], created="2025-01-02",
        command="segda run gta5_to_cityscapes --runs /a/long/folder/" + "x" * 150,
        results=[Result(name, [evaluation(30 + 9 * number)]) for number, name in enumerate(ROWS)],
        confused=["source only", "pixel+feature"], versions={"torch": "2", EVIL: EVIL},
        stages=[*stages, StageState(EVIL, EVIL, EVIL, None, EVIL, ["stage 7"])],
        logs={"stage 1": log, EVIL: log},
        scenes=[Scene("town/1", photograph, label, wrong, label), Scene(EVIL, photograph, label, wrong, label)],
        predictions=[Tile(photograph, [Line("seven"), Line("after: seven", "good")])],
        translations=[("source", [Tile(photograph)])], usage=[("In Python.", "import segda" + "  # long" * 40)],
        illustrations=[Illustration("embedding", "Features", "In a plane.", figure)],
        agreements=[
            Agreement("adapted", shares, [("road", shares), ("sky", (None,) * 3)], [(EVIL, shares)], [pictures])
        ],
        datasets=[DataState("gta5", "train", "0f" * 32, ["source", "stage 1"])],
    ))  # fmt: skip
    return folder / "report.html"


@pytest.fixture
def visit(browser: Any, page_file: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page; at the end there must have been no error and no request for another file."""
    opened = []

    def visit(width: int = 1200, **options: Any) -> Any:
        opened.append(open_page(browser, page_file, viewport={"width": width, "height": 900}, **options))
        return opened[-1][0]

    yield visit
    for page, events in opened:
        page.context.close()
        assert not events


def contrast(one: list[float], other: list[float]) -> float:
    """From 1 to 21. Source: WCAG 2.1, contrast ratio and relative luminance."""

    def luminance(colour: list[float]) -> float:
        parts = [part / 255 for part in colour[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast([0, 0, 0], [255, 255, 255]) == pytest.approx(21)
    assert contrast([118, 118, 118], [255, 255, 255]) == pytest.approx(4.54, abs=0.01)


def test_pictures_decode_and_names_are_text(visit: Callable[..., Any]) -> None:
    page = visit()
    sizes = page.evaluate("[...document.images].map((image) => [image.complete, image.naturalWidth])")
    assert len(sizes) == 2 * 6 + 2 + 1
    assert all(complete and width > 0 for complete, width in sizes)
    assert page.title() == f"{EVIL} – segda report"
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("h3", has_text=EVIL).count() == 2
    assert page.locator("summary", has_text=EVIL).count() == 1
    assert page.evaluate("document.scripts.length") == 1


def test_tables_sort_by_a_click_and_back(visit: Callable[..., Any]) -> None:
    page = visit()

    def column(number: int) -> list[str]:
        return page.evaluate(COLUMN, ["table.scores", number])  # type: ignore[no-any-return]

    original = column(0)
    assert original == list(SPACE.classes)
    button = page.locator("table.scores thead button").nth(1)
    orders = []
    for state in ("descending", "ascending", None):
        button.click()
        assert page.locator("table.scores thead th").nth(1).get_attribute("aria-sort") == state
        orders.append(column(1))
    assert orders[0][-1] == orders[1][-1] == "–", "an absent class stays last"
    numbers = [[float(text.split()[0]) for text in order[:-1]] for order in orders[:2]]
    assert numbers[0] == sorted(numbers[0], reverse=True)
    assert numbers[1] == sorted(numbers[1])
    assert column(0) == original
    page.locator("table.scores thead button").first.click()
    assert column(0) == sorted(original)
    assert page.locator("table.scores tfoot th").first.inner_text() == "mIoU"


def test_without_scripts_the_page_is_whole(visit: Callable[..., Any]) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator("table.scores tbody tr").count() == SPACE.count
    assert page.locator("button, input, dialog").count() == 0
    before, after = (page.locator(".pair").first.locator("img").nth(number).bounding_box() for number in (0, 1))
    assert before["x"] + before["width"] <= after["x"], "side by side"
    page.locator("summary", has_text="Bars by class").click()
    assert page.locator(".bars svg").is_visible()


def shown_of(page: Any, place: float) -> str:
    """Which prediction is on top at a place of the first slider, from 0 at the left to 1 at the right."""
    return page.evaluate(
        """(place) => {
      const after = document.querySelectorAll(".halves")[0].children[1];
      const left = parseFloat(getComputedStyle(after).clipPath.match(/[\\d.]+%?\\)$/)[0]);
      return 100 * place > left ? "after" : "before";
    }""",
        place,
    )  # type: ignore[no-any-return]


def test_a_slider_moves_between_before_and_after_by_mouse_and_keys(visit: Callable[..., Any]) -> None:
    page = visit()
    slider = page.locator(".halves input").first
    box = slider.bounding_box()
    image = page.locator(".halves img").first.bounding_box()
    assert box == pytest.approx(image, abs=1), "all of the picture can be dragged"
    assert [shown_of(page, place) for place in (0.1, 0.45, 0.55, 0.9)] == ["before", "before", "after", "after"]
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 20)
    assert [shown_of(page, place) for place in (0.1, 0.3)] == ["before", "after"]
    slider.focus()
    page.keyboard.press("End")
    assert shown_of(page, 0.99) == "before"
    page.keyboard.press("Home")
    assert shown_of(page, 0.01) == "after"
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "1 percent before adaptation"
    assert page.evaluate("getComputedStyle(document.querySelector('.slider')).outlineStyle") == "solid", "focus is seen"


def test_pictures_are_enlarged_by_click_and_keys_and_leafed_through(visit: Callable[..., Any]) -> None:
    page = visit()
    opener = page.get_by_role("button", name="Enlarge: label, town/1", exact=True)
    small = opener.locator("img").bounding_box()
    opener.focus()
    page.keyboard.press("Enter")
    dialog, image = page.locator("dialog"), page.locator("dialog img")
    large = image.bounding_box()
    assert large["width"] > 3 * small["width"]
    assert large["width"] / large["height"] == pytest.approx(2, abs=0.02)
    assert large["y"] >= 0
    assert large["y"] + large["height"] < 900, "all of it is in view"
    assert dialog.locator("figcaption").inner_text() == "label · town/1"
    page.keyboard.press("ArrowRight")
    assert dialog.locator("figcaption").inner_text() == "errors before adaptation · town/1"
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert dialog.locator("figcaption").inner_text() == "predicted before and after adaptation · town/1"
    assert dialog.locator("nav span").inner_text().startswith("1 of ")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Enlarge: label, town/1"
    page.get_by_role("button", name="Enlarge", exact=True).first.click()
    page.keyboard.press("ArrowRight")
    assert dialog.locator("input").get_attribute("aria-valuetext") == "51 percent before adaptation", "it has the focus"
    dialog.get_by_role("button", name="Next").press("Enter")
    dialog.get_by_role("button", name="Next").press("Enter")
    assert dialog.locator("figcaption").inner_text() == "label · town/1"
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_long_charts_are_folded_until_they_are_opened_or_printed(visit: Callable[..., Any]) -> None:
    page = visit()
    charts = [page.locator(".bars svg"), page.locator(".confusion").first, page.get_by_label("curves of stage 1")]
    assert not any(chart.is_visible() for chart in charts)
    page.locator("summary", has_text="stage 1").focus()
    page.keyboard.press("Enter")
    assert [chart.is_visible() for chart in charts] == [False, False, True]
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(chart.is_visible() for chart in charts)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert [chart.is_visible() for chart in charts] == [False, False, True], "as they were"


def test_no_title_in_a_chart_is_clipped_or_covered_by_another(visit: Callable[..., Any]) -> None:
    page = visit()
    page.evaluate(OPENED)
    clipped = page.evaluate("""() => [...document.querySelectorAll(".chart svg")].flatMap((svg) => {
      const frame = svg.getBoundingClientRect();
      const boxes = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
      const beyond = ([, box]) => box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1;
      const covered = ([text, box], at) => boxes.slice(at + 1).some(([other, next]) => next.left < box.right - 1
        && box.left < next.right - 1 && next.top < box.bottom - 3 && box.top < next.bottom - 3);
      return boxes.filter((each, at) => beyond(each) || covered(each, at)).map(([text]) => text);
    })""")
    assert not clipped


def test_nothing_is_a_white_slab_in_the_dark(visit: Callable[..., Any]) -> None:
    """No figure has paper of its own, and what is right in an error map has the colour of the page's theme."""
    page = visit(color_scheme="dark")
    page.evaluate(OPENED)
    fills = page.evaluate("""() => [...document.querySelectorAll(".chart svg :is(path, rect)")].filter((shape) => {
      const box = shape.getBoundingClientRect();
      const [red, green, blue] = (getComputedStyle(shape).fill.match(/[\\d.]+/g) ?? [0, 0, 0]).map(Number);
      return box.width * box.height > 2000 && Math.min(red, green, blue) > 230;
    }).length""")
    assert fills == 0
    right = page.locator("img.errors").first.evaluate("(image) => getComputedStyle(image).backgroundImage")
    stripes = re.findall(r"rgb\((\d+), (\d+), (\d+)\)", right)
    assert stripes
    assert all(int(part) < 80 for stripe in stripes for part in stripe)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(visit: Callable[..., Any], scheme: str) -> None:
    page = visit(color_scheme=scheme)
    page.evaluate(OPENED)
    texts = page.evaluate(TEXTS)
    tags = {text["tag"] for text in texts}
    assert {"H1", "H2", "P", "TD", "TH", "BUTTON", "A", "CODE", "FIGCAPTION", "text"} <= tags
    assert len(texts) > 500
    dark = sum(texts[0]["ground"][:3]) < 3 * 128
    assert dark == (scheme == "dark")
    low = [(text["tag"], text["text"], round(contrast(text["colour"], text["ground"]), 2)) for text in texts
           if contrast(text["colour"], text["ground"]) < 4.5]  # fmt: skip
    assert not low


def test_nothing_is_wider_than_a_phone(visit: Callable[..., Any]) -> None:
    """Wide tables and charts scroll inside themselves, the page does not."""
    page = visit(width=390)
    page.evaluate(OPENED)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    boxes = "[...document.querySelectorAll('.wide, .chart')]"
    assert page.evaluate(f"{boxes}.some((box) => box.scrollWidth > box.clientWidth)"), "else there is no wide table"


def test_it_prints_in_black_on_white_without_buttons_and_bars(visit: Callable[..., Any]) -> None:
    page = visit(width=760, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("header nav").is_visible()
    assert not page.locator(".slider input").first.is_visible()
    before, after = (page.locator(".halves img").nth(number).bounding_box() for number in (0, 1))
    assert before["x"] + before["width"] <= after["x"], "both predictions are on paper"
    boxes = "[...document.querySelectorAll('.wide')]"
    assert page.evaluate(f"{boxes}.every((box) => getComputedStyle(box).overflowX === 'visible')")
