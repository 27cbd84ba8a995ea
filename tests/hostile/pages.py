"""A report in which every external text is hostile, and a parser for what a browser would see."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from segda.label_space import LabelSpace
from segda.report.page import Agreement, DataState, Illustration, LeftOut, ReportContent, StageState
from segda.report.pictures import Picture, PictureRow, Scene
from segda.report.table import Result
from segda.report.thumbnails import Line, Tile

#: Each escapes from a different context: text, a quoted attribute, SVG, a style, a comment, a template, a URL.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "' onmouseover='alert(3)",
    "</title></style></svg><svg onload=alert(4)>",
    "--><iframe srcdoc='<script>alert(5)</script>'></iframe><!--",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(6)",
    "</script><script>alert(7)</script>",
    "red;background:url(http://evil.example/8)",
    "$x^2$ &lt;b&gt; <b>bold</b>",
)
TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "p", "code", "div", "span", "strong",
    "b", "nav", "a", "section", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "small", "ul", "li", "br", "img",
    "figure", "figcaption", "script", "h4", "pre", "details", "summary",
    "svg", "g", "path", "rect", "text", "defs", "use", "clippath", "metadata", "rdf:rdf", "cc:work", "dc:type",
    "dc:format", "dc:creator", "cc:agent", "dc:title", "tspan", "circle", "line", "polygon",
}  # fmt: skip


class Parsed(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.text += " " if tag in ("td", "th") else ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def faults(html: str) -> list[str]:
    """Everything in a page that could run, load or link anything but its own script and images."""
    page, wrong = Parsed(html), []
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    if scripts != [{}]:
        wrong.append(f"scripts: {scripts}")
    for tag, attributes in page.elements:
        if tag not in TAGS:
            wrong.append(f"element {tag}")
        for name, value in attributes.items():
            text = (value or "").strip().lower()
            if name.startswith("on") or name in ("srcdoc", "formaction", "action", "ping", "background"):
                wrong.append(f"{tag}: attribute {name}")
            if name in ("href", "src", "xlink:href") and not text.startswith(("#", "data:image/")):
                wrong.append(f"{tag}: {name}={text[:40]}")
            if name == "style" and ("url(" in text.replace("url(#", "") or "@import" in text):
                wrong.append(f"{tag}: style={text[:40]}")
    return wrong


def hostile(folder: Path, evil: str, evaluation: Any) -> ReportContent:
    """A report with `evil` in every text: names, keys, states, titles, notes, values of the protocol, logs, figures."""
    log = folder / "log.jsonl"
    values = {evil: 1.0, f"generator.{evil}": 2.0}
    lines = [{"step": step, "losses": values, "measures": values, "learning_rate": {evil: 0.1 * step, "b": 0.2}}
             for step in range(3)]  # fmt: skip
    trouble = {"what": evil, "series": evil, "since": 1, "until": None, "fatal": False}
    lines[1]["health"] = {"begun": [trouble], "ended": [{**trouble, "until": 2}]}
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    names = (evil, "car", f"{evil} 2")
    pixels = np.zeros((8, 8, 3), np.uint8)
    row = PictureRow(evil, [Picture(evil, pixels), Picture(f"{evil} 2", pixels[..., 0]), Picture(f"{evil} 3", None)])
    texts = ("dataset", "split", "prediction_rule", "data_fingerprint", evil)
    protocol = {**dict.fromkeys(texts, evil), "resize_rule": [evil, {evil: evil}], "network_fingerprints": {evil: evil}}
    shares = (0.5, None, 0.3)
    figure = Figure()
    figure.text(0, 0, evil, parse_math=False)
    return ReportContent(
        title=evil, space=LabelSpace("hostile", names, ((0, 0, 0), (1, 1, 1), (2, 2, 2))),
        results=[Result(evil, [evaluation(3, classes=names, **protocol)]),
                 Result(f"{evil} 2", [evaluation(4, classes=names, **{**protocol, "split": f"{evil} 2"})])],
        created=evil, command=evil, seeds=[0], versions={evil: evil}, confused=[evil, f"{evil} 2"],
        stages=[StageState("first", evil, evil, 1.0, evil), StageState(evil, evil, evil, None, evil, ["first", evil])],
        logs={evil: log}, scenes=[Scene(evil, pixels, *[pixels[..., 0]] * 3)],
        predictions=[Tile(pixels, [Line(evil)])], translations=[(evil, [Tile(pixels)])],
        datasets=[DataState(evil, evil, evil, [evil])],
        agreements=[Agreement(evil, shares, [(evil, shares)], [(evil, shares)], [row], 0.5, 3)],
        left_out=[LeftOut(evil, evil, [(evil, evil)])],
        illustrations=[Illustration("embedding", evil, evil, figure)], usage=[(evil, evil)],
    )  # fmt: skip
