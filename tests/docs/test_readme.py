"""The README fits one screen, and its picture, map, counts and example match the code."""

import re
from pathlib import Path

import pytest

from pipelines.definition import loading as pipelines
from segda.config import loading
from tests.docs import pages
from tests.structure.source import ROOT

README = pages.text("README.md")


def test_it_is_short_and_its_picture_small() -> None:
    assert len(README.encode()) <= 12 * 1024
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert (ROOT / picture).stat().st_size < 200_000


def test_the_map_is_whole() -> None:
    """Every folder of the tree exists, and it lists every package of both source trees to the depth of `segda/X/`."""
    tree = next(block for _, block in pages.blocks(ROOT / "README.md") if block.startswith("segda/ "))
    top, middle, drawn = "", "", set()
    for indent, name in re.findall(r"^( *)([\w/]+)/ ", tree, re.MULTILINE):
        top, middle = (name, middle) if not indent else (top, name if len(indent) == 2 else middle)
        drawn.add({0: name, 2: f"{top}/{name}"}.get(len(indent), f"{top}/{middle}/{name}"))
    for name in drawn:
        assert (ROOT / name).is_dir(), name
    for parent in ("segda", "pipelines"):
        there = {f"{parent}/{path.parent.name}" for path in (ROOT / parent).glob("*/*.py")}
        assert there == {name for name in drawn if re.fullmatch(rf"{parent}/\w+", name)}


def test_counts_and_versions_are_current() -> None:
    readers = list((ROOT / "segda/data/readers").glob("[a-z]*.py"))
    assert f"{len(list(loading.shipped('methods').glob('*.yaml')))} methods" in README
    assert f"{len(readers)} dataset readers" in README
    assert f"the other {len(list(loading.shipped('pipelines').glob('*.yaml'))) - 1} pipelines" in README
    pinned = re.findall(r"^torch(?:vision)?==.*$", pages.text("constraints.txt"), re.MULTILINE)
    for page in ("README.md", "docs/tutorial.md"):
        assert f"pip install {' '.join(pinned)} --index-url" in pages.text(page)


def test_its_method_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ((name, text),) = pages.files("README.md").items()
    Path(name).parent.mkdir(parents=True)
    Path(name).write_text(text, encoding="utf-8")
    loaded = pipelines.load("streets", [f"stages.feature.method={Path(name).stem}"])
    assert set(loaded.stage("feature").config.method.terms) == {"classification", "target_entropy"}  # type: ignore[attr-defined]
