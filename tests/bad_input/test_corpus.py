"""Broken inputs through the command line: exit code 2 and one line that names file and remedy, never a traceback."""

import re
from functools import cache
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.command_line import parser
from tests.bad_input import archives, configs, images, labels, lists, names, results
from tests.bad_input.case import BASES, Case, Handled, copy

TABLES = (images, labels, names, configs, archives, lists, results)
CASES: tuple[Case, ...] = tuple(case for table in TABLES for case in table.CASES)
HANDLED: tuple[Handled, ...] = tuple(case for table in TABLES for case in getattr(table, "HANDLED", ()))
PARSER = cache(parser)


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The valid files of each base, made on first use."""
    return {}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build the parser once; building it takes longer than most of the cases."""
    monkeypatch.setattr("pipelines.command_line.parser", PARSER)


@pytest.fixture
def folder(
    tmp_path: Path,
    bases: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Path:
    """The case's damaged folder, which is also the current folder and the data root."""
    case: Case | Handled = request.getfixturevalue("case")
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    monkeypatch.setenv("SEGDA_MAX_PIXELS", "")  # a case may change it
    if case.base not in bases:
        bases[case.base] = tmp_path_factory.mktemp("base")
        BASES[case.base](bases[case.base])
        monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    copy(bases[case.base], tmp_path)
    monkeypatch.chdir(tmp_path)
    case.spoil(tmp_path)
    return tmp_path


@pytest.mark.promise("bad-input-corpus")
def test_the_corpus_is_large() -> None:
    names = [case.name for case in (*CASES, *HANDLED)]
    assert len(set(names)) == len(names)
    assert len(CASES) >= 200


@pytest.mark.promise("hostile-yaml", "bad-input-corpus", "names-stay-inside")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_line_names_file_and_remedy(case: Case, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    code = main(list(case.words))
    captured = capfd.readouterr()
    assert code == 2, captured
    # C libraries print lines of their own about two kinds of damage: wrong content with correct checksums, and the
    # lists inside an AVI, of which they print four raw bytes, even line breaks.
    printed = re.sub(r"Unexpected element\. Expected: LIST\. Got: .*?\.\n", "", captured.err, flags=re.DOTALL)
    lines = [line for line in printed.splitlines() if not line.startswith("libpng error: ")]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    assert lines[0].isprintable()
    assert "Traceback" not in captured.out + captured.err
    assert case.names in lines[0], lines[0]
    assert case.remedy in lines[0], lines[0]
    assert not list(folder.rglob("*.partial"))


@pytest.mark.promise("bad-input-corpus")
@pytest.mark.parametrize("case", HANDLED, ids=lambda case: case.name)
def test_odd_inputs_are_used_as_documented(case: Handled, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(list(case.words))
    captured = capfd.readouterr()
    assert code == 0, captured
    assert "Traceback" not in captured.out + captured.err
    case.shows(folder)
