"""The report shows every name as text: no element, attribute, link or script comes from outside the template."""

import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from segda.report import page
from segda.report.page import ReportContent, render, write
from tests.hostile.pages import HOSTILE, Parsed, faults, hostile
from tests.unit.report.conftest import evaluation, space

__all__ = ["evaluation", "space"]
Make = Callable[..., dict[str, Any]]


_shapes: dict[str, list[str]] = {}


def shape(parsed: Parsed) -> list[str]:
    """The elements of a page but for those of charts, whose legends are as long as their words."""
    return [tag for tag, _ in parsed.elements if tag not in ("path", "g", "use", "defs", "text", "tspan")]


@pytest.mark.parametrize("evil", HOSTILE)
def test_hostile_text_everywhere_is_text(tmp_path: Path, evaluation: Make, evil: str) -> None:
    """And the page is built as it is of harmless words."""
    html = render(hostile(tmp_path, evil, evaluation))
    assert faults(html) == []
    parsed = Parsed(html)
    assert parsed.text.count(evil) >= 40, "it is all there, to be read"
    if not _shapes:
        _shapes["harmless"] = shape(Parsed(render(hostile(tmp_path, "harmless", evaluation))))
    assert shape(parsed) == _shapes["harmless"]


def test_every_field_of_a_report_is_hostile_here(tmp_path: Path, evaluation: Make) -> None:
    """A field that is added to the page is added to the test."""
    content = hostile(tmp_path, HOSTILE[0], evaluation)
    empty = ReportContent(title="", space=content.space)
    for field in fields(ReportContent):
        if field.name not in ("title", "space"):
            assert getattr(content, field.name) != getattr(empty, field.name), field.name


@pytest.mark.parametrize("place", ["content.title", "stage.folder", "picture.title"])
def test_a_place_that_is_not_escaped_is_noticed(
    tmp_path: Path, evaluation: Make, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    template = Path(page.__file__).parent / "page.html"
    folder = tmp_path / "report"
    shutil.copytree(template.parent, folder)
    text = template.read_text()
    assert f"{{{{ {place} }}}}" in text
    (folder / "page.html").write_text(text.replace(f"{{{{ {place} }}}}", f"{{{{ {place}|safe }}}}"))
    monkeypatch.setattr(page, "__file__", str(folder / "page.py"))
    assert faults(render(hostile(tmp_path, HOSTILE[1], evaluation)))


def test_the_policy_lets_nothing_but_the_pages_own_script_run(tmp_path: Path, evaluation: Make) -> None:
    elements = Parsed(render(hostile(tmp_path, HOSTILE[0], evaluation))).elements
    (policy,) = [a["content"] for tag, a in elements if tag == "meta" and "http-equiv" in a]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    scripts = policy.split("script-src ")[1].split()
    assert len(scripts) == 1
    assert scripts[0].startswith("'sha256-")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.slow
def test_a_browser_runs_none_of_it(tmp_path: Path, evaluation: Make) -> None:
    """Chromium opens the page of each hostile text: no dialog, no request, no console error, the title is text."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine's path")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install .[test])")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        for number, evil in enumerate(HOSTILE):
            folder = tmp_path / str(number)
            folder.mkdir()
            write(folder, hostile(folder, evil, evaluation))
            happened: list[str] = []
            opened = browser.new_page()
            opened.on("dialog", lambda dialog: (happened.append(dialog.message), dialog.dismiss()))  # noqa: B023
            opened.on("console", lambda said: happened.append(said.text))  # noqa: B023
            opened.on("pageerror", lambda error: happened.append(str(error)))  # noqa: B023
            opened.on(
                "request",
                lambda asked: asked.url.startswith(("file:", "data:")) or happened.append(asked.url),  # noqa: B023
            )
            opened.goto((folder / "report.html").as_uri())
            opened.mouse.move(200, 200)
            for button in opened.locator("th button").all()[:4]:
                button.click()
            assert not happened, evil
            assert opened.title() == f"{evil} – segda report".strip()
            assert opened.locator("h1").inner_text() == evil
            assert opened.evaluate("document.scripts.length") == 1
            assert opened.evaluate("document.querySelectorAll('iframe, object, embed, link, base, form').length") == 0
            opened.close()
        browser.close()
