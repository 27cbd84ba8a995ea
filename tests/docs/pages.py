"""The documents as text: fenced blocks, prose, and the files whose path is the first line `# path` of a block."""

import re
from pathlib import Path

from tests.structure.source import ROOT

FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: Path) -> list[tuple[str, str]]:
    """The language and content of every fenced block."""
    return FENCED.findall(page.read_text(encoding="utf-8"))


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def files(name: str) -> dict[str, str]:
    """A page's blocks whose first line is a comment with a path: path to content."""
    matches = {re.match(r"# (\S+\.\w+)\n", content): content for _, content in blocks(ROOT / name)}
    return {match.group(1): content for match, content in matches.items() if match}
