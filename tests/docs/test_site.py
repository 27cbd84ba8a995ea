"""The site builds without a warning and without network, holds every page, command and key, and fetches nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import segda
from pipelines.command_line import COMMANDS
from segda.config import loading
from tests.docs import pages
from tests.structure.source import ROOT
from tools import reference

LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["'](?:https?:)?//|<link\b[^>]*\bhref=["'](?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site, of a copy of docs/, so that nothing is written into the checkout."""
    pytest.importorskip("sphinx_book_theme")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("_build", "reference"))
    shutil.copytree(ROOT / "examples", folder / "examples")
    for name in ("CHANGELOG.md", "CITATION.cff"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", "site"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "https_proxy": "http://127.0.0.1:9"}
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert built.returncode == 0, built.stderr
    return folder / "site"


def test_every_page_is_there_and_in_a_table_of_contents(site: Path) -> None:
    """Except what the package index shows, which is no page of the site."""
    navigation = (site / "index.html").read_text(encoding="utf-8")
    for name in {page.stem for page in (ROOT / "docs").glob("*.md")} - {"package_index"}:
        assert (site / f"{name}.html").is_file()
        assert f'href="{name}.html"' in navigation or name == "index"


def test_a_reader_fetches_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        found = LOADED.search(page.read_text(encoding="utf-8"))
        assert not found, f"{page.relative_to(site)}: {found and found.group()}"


def test_the_api_is_there(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in segda.__all__:
        assert name == "__version__" or f'id="segda.{name}"' in page or f".{name}" in page, name
    terms = (site / "reference" / "terms.html").read_text(encoding="utf-8")
    for path in (ROOT / "segda/objectives/terms").glob("[a-z]*.py"):
        assert f'id="module-segda.objectives.terms.{path.stem}"' in terms


def test_every_command_and_option_is_described() -> None:
    text = reference.commands()
    assert re.findall(r"^## segda (\S+)$", text, re.MULTILINE) == list(COMMANDS)
    assert "`--seed N`" in text or "`--seed SEED`" in text
    assert "`--plan`" in text


def test_every_key_of_a_shipped_config_is_described() -> None:
    text = reference.keys()
    for kind in ("pipelines", "methods"):
        for path in loading.shipped(kind).glob("*.yaml"):
            for key in loading.load(path, kind):
                assert f"`{key}`" in text, f"{path.name}: {key}"


def test_the_scripts_of_the_pages_are_ones() -> None:
    scripts = [text for page in pages.PAGES for language, text in pages.blocks(page) if language == "bash"]
    assert scripts
    for script in scripts:
        checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        assert checked.returncode == 0, checked.stderr


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 150_000, picture.name
