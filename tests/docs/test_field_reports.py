"""Every row of the field reports names tests that exist."""

import re

import pytest

from tests.docs import pages
from tests.structure.source import ROOT

ROWS = [line for line in pages.text("docs/field_reports.md").splitlines() if re.match(r"\| (?!symptom)", line)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:50])
def test_a_row_names_tests_that_exist(row: str) -> None:
    tests = re.findall(r"`(tests/\S+\.py)::(\w+)`", row.split(" | ")[-1])
    assert tests
    for file, name in tests:
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), f"{file}::{name}"
