"""The page in a real browser: no errors, pictures that decode, tables that sort, text that can be read everywhere."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segda.evaluation.evaluate import Evaluation
from segda.label_space import LabelSpace
from segda.label_spaces.cityscapes import SPACE
from segda.metrics.mean_iou import Confusion
from segda.report.page import Agreement, DataState, Illustration, ReportContent, StageState, write
from segda.report.pictures import Picture, PictureRow, encode
from segda.report.table import Result
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
    pictures = PictureRow(EVIL, [
        *(Picture(title, photograph) for title in ("source", "translated", "cycled", "target")),
        Picture("label", label),
        Picture("before adaptation", wrong), Picture("errors before adaptation", wrong, label),
        Picture("after adaptation", label), Picture("errors after adaptation", label, label), Picture("missing", None),
    ])  # fmt: skip
    figure = encode(Image.fromarray(photograph).resize((900, 600)), "PNG")
    stages = [StageState("source", "supervise", "done", 61.0, "supervise-0a1b2c3d")]
    for number in range(1, 8):
        before = ["source", stages[-1].name]
        stages.append(StageState(f"stage {number}", "align", "done", 7.0 * number, "align-0a1b2c3d", before))
    shares = (0.5, 0.4, 0.3)
    write(folder, ReportContent(
        title=EVIL, space=LabelSpace(SPACE.name, SPACE.classes, SPACE.palette), seeds=[0], created="2025-01-02",
        command="segda run gta5_to_cityscapes --runs /a/long/folder/" + "x" * 150,
        results=[Result(name, [evaluation(30 + 9 * number)]) for number, name in enumerate(ROWS)],
        confused=["source only", "pixel+feature"], notes=["Best adapted row."], versions={"torch": "2", EVIL: EVIL},
        stages=[*stages, StageState(EVIL, EVIL, EVIL, None, EVIL, ["stage 7"])],
        logs={"stage 1": log, EVIL: log}, pictures=[pictures],
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
    assert len(sizes) == 2 * 9 + 1
    assert all(complete and width > 0 for complete, width in sizes)
    assert page.title() == f"{EVIL} – segda report"
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("h3", has_text=EVIL).count() >= 3
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
    assert page.locator("button").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast(visit: Callable[..., Any], scheme: str) -> None:
    texts = visit(color_scheme=scheme).evaluate(TEXTS)
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
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    boxes = "[...document.querySelectorAll('.wide, .chart')]"
    assert page.evaluate(f"{boxes}.some((box) => box.scrollWidth > box.clientWidth)"), "else there is no wide table"


def test_it_prints_in_black_on_white_without_buttons_and_bars(visit: Callable[..., Any]) -> None:
    page = visit(width=760, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("nav").is_visible()
    boxes = "[...document.querySelectorAll('.wide')]"
    assert page.evaluate(f"{boxes}.every((box) => getComputedStyle(box).overflowX === 'visible')")
