"""A page in which every text that comes from outside is hostile, and a parser that tells what a browser sees in it."""

import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segda.label_space import LabelSpace
from segda.report.page import Agreement, DataState, Illustration, LeftOut, ReportContent, StageState
from segda.report.pictures import Picture, PictureRow
from segda.report.table import Result

#: Each breaks out of another place: text, a quoted attribute, SVG, a style, a comment, a template, a URL.
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
    "figure", "figcaption", "script",
    "svg", "g", "path", "rect", "text", "defs", "use", "clippath", "metadata", "rdf:rdf", "cc:work", "dc:type",
    "dc:format", "dc:creator", "cc:agent", "dc:title", "tspan", "circle", "line", "polygon",
}  # fmt: skip


class Parsed(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def faults(html: str) -> list[str]:
    """What in a page could run, load or lead anywhere but the page's own."""
    page, found = Parsed(html), []
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    if scripts != [{}]:
        found.append(f"scripts: {scripts}")
    for tag, attributes in page.elements:
        if tag not in TAGS:
            found.append(f"element {tag}")
        for name, value in attributes.items():
            given = (value or "").strip().lower()
            if name.startswith("on") or name in ("srcdoc", "formaction", "action", "ping", "background"):
                found.append(f"{tag}: attribute {name}")
            if name in ("href", "src", "xlink:href") and not given.startswith(("#", "data:image/")):
                found.append(f"{tag}: {name}={given[:40]}")
            if name == "style" and ("url(" in given.replace("url(#", "") or "@import" in given):
                found.append(f"{tag}: style={given[:40]}")
    return found


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
    pixels, drawn = np.zeros((8, 8, 3), np.uint8), io.BytesIO()
    Image.fromarray(pixels).save(drawn, "PNG")
    row = PictureRow(evil, [Picture(evil, pixels), Picture(f"{evil} 2", pixels[..., 0]), Picture(f"{evil} 3", None)])
    said = {evil: evil, "dataset": evil, "split": evil, "resize_rule": [evil, {evil: evil}], "prediction_rule": evil,
            "data_fingerprint": evil, "network_fingerprints": {evil: evil}}  # fmt: skip
    shares = (0.5, None, 0.3)
    return ReportContent(
        title=evil, space=LabelSpace("hostile", names, ((0, 0, 0), (1, 1, 1), (2, 2, 2))),
        results=[Result(evil, [evaluation(3, classes=names, **said)]),
                 Result(f"{evil} 2", [evaluation(4, classes=names, **{**said, "split": f"{evil} 2"})])],
        created=evil, command=evil, seeds=[0], notes=[evil], versions={evil: evil}, confused=[evil, f"{evil} 2"],
        stages=[StageState("first", evil, evil, 1.0, evil), StageState(evil, evil, evil, None, evil, ["first", evil])],
        logs={evil: log}, pictures=[row], datasets=[DataState(evil, evil, evil, [evil])],
        agreements=[Agreement(evil, shares, [(evil, shares)], [(evil, shares)], [row], 0.5, 3)],
        left_out=[LeftOut(evil, evil, [(evil, evil)])],
        illustrations=[Illustration("embedding", evil, evil, drawn.getvalue())],
    )  # fmt: skip
