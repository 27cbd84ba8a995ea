"""The report escapes every name: no element, attribute, link or script comes from outside the template."""

import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from segda.report import page as report_page
from segda.report.page import ReportContent, render, write
from tests.hostile.pages import HOSTILE, Parsed, faults, hostile
from tests.unit.report.conftest import browser, evaluation, open_page, space

__all__ = ["browser", "evaluation", "space"]
Make = Callable[..., dict[str, Any]]


_harmless: list[str] = []


def shape(parsed: Parsed) -> list[str]:
    """The elements of a page without those of charts, whose number varies with the length of names."""
    return [tag for tag, _ in parsed.elements if tag not in ("path", "g", "use", "defs", "text", "tspan")]


@pytest.mark.promise("report-escapes", "names-are-text")
@pytest.mark.parametrize("evil", HOSTILE)
def test_hostile_text_everywhere_is_text(tmp_path: Path, evaluation: Make, evil: str) -> None:
    """The page has the same elements as with harmless names."""
    html = render(hostile(tmp_path, evil, evaluation))
    assert faults(html) == []
    parsed = Parsed(html)
    assert parsed.text.count(evil) >= 40, "all of it is on the page"
    if not _harmless:
        _harmless.extend(shape(Parsed(render(hostile(tmp_path, "harmless", evaluation)))))
    assert shape(parsed) == _harmless


def test_every_field_of_a_report_is_hostile_here(tmp_path: Path, evaluation: Make) -> None:
    """A new field of the page must be added to this test."""
    content = hostile(tmp_path, HOSTILE[0], evaluation)
    empty = ReportContent(title="", space=content.space)
    for field in fields(ReportContent):
        if field.name not in ("title", "space"):
            assert getattr(content, field.name) != getattr(empty, field.name), field.name


@pytest.mark.parametrize("name", ["content.title", "stage.folder", "picture.title"])
def test_a_name_that_is_not_escaped_is_noticed(
    tmp_path: Path, evaluation: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    template = Path(report_page.__file__).parent / "page.html"
    folder = tmp_path / "report"
    shutil.copytree(template.parent, folder)
    text = template.read_text()
    assert f"{{{{ {name} }}}}" in text
    (folder / "page.html").write_text(text.replace(f"{{{{ {name} }}}}", f"{{{{ {name}|safe }}}}"))
    monkeypatch.setattr(report_page, "__file__", str(folder / "page.py"))
    assert faults(render(hostile(tmp_path, HOSTILE[1], evaluation)))


def test_the_policy_lets_nothing_but_the_pages_own_script_run(tmp_path: Path, evaluation: Make) -> None:
    elements = Parsed(render(hostile(tmp_path, HOSTILE[0], evaluation))).elements
    (policy,) = [a["content"] for tag, a in elements if tag == "meta" and "http-equiv" in a]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    scripts = policy.split("script-src ")[1].split()
    assert len(scripts) == 1
    assert scripts[0].startswith("'sha256-")


@pytest.mark.promise("names-are-text")
@pytest.mark.slow
def test_a_browser_runs_none_of_it(tmp_path: Path, evaluation: Make, browser: Any) -> None:
    """Chromium opens the page of each hostile text: no dialog, no request, no console error, the title is text."""
    for number, evil in enumerate(HOSTILE):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder, hostile(folder, evil, evaluation))
        page, events = open_page(browser, folder / "report.html")
        page.mouse.move(200, 200)
        for button in page.locator("th button").all()[:4]:
            button.click()
        assert not events, evil
        assert page.title() == f"{evil} – segda report".strip()
        assert page.locator("h1").inner_text() == evil
        assert page.evaluate("document.scripts.length") == 1
        assert page.evaluate("document.querySelectorAll('iframe, object, embed, link, base, form').length") == 0
        page.context.close()
