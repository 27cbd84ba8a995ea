"""The tables of the results page match the results files."""

import re
from pathlib import Path

import pytest

from pipelines.__main__ import main
from tests.structure.source import ROOT

PAGE = ROOT / "docs" / "results.md"
FOLDER = ROOT / "docs" / "results"
TABLES = dict(re.findall(r"<!-- table: (\S+) -->\n(.*?)<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_that_of_its_results_file(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", str(FOLDER / f"{name}.json"), "--markdown"]) == 0
    assert TABLES[name] == capsys.readouterr().out


def test_every_results_file_is_shown() -> None:
    files = {path.stem for path in FOLDER.glob("*.json")}
    assert files
    assert set(TABLES) == files


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_results_file_names_no_folder_of_a_machine(path: Path) -> None:
    assert "/tmp" not in path.read_text(encoding="utf-8")
    assert "--runs" not in path.read_text(encoding="utf-8")
