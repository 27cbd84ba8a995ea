"""The table of the benchmarks page matches its results file."""

import json

from tests.structure.source import ROOT
from tools.bench import harness

PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
FILE = (ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_results_file() -> None:
    assert harness.with_table(PAGE, harness.render(json.loads(FILE))) == PAGE


def test_the_results_file_names_no_folder_of_a_machine() -> None:
    assert "/tmp" not in FILE + PAGE


def test_every_benchmark_is_explained() -> None:
    for name in harness.NAMES:
        assert f"python -m tools.bench {name}`" in PAGE, name
