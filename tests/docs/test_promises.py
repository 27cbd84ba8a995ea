"""docs/promises.md: every promise names a test, and every test that it names is there."""

import ast
import re
from functools import cache

import pytest

from tests.structure.source import ROOT

TEXT = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
PROMISED, NOT_PROMISED = TEXT.split("\n## Not promised\n")
ROWS = [line for line in PROMISED.splitlines() if line.startswith("| ") and not line.startswith("| promise |")]
MARKS = {"slow", "data", "gpu"}


@cache
def functions(file: str) -> dict[str, set[str]]:
    """The tests in a file, also those in classes, with the marks that keep them out of the default suite."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    whole = {mark for node in tree.body if isinstance(node, ast.Assign) for mark in marks(ast.unparse(node))}
    return {
        # A mark of some parameters alone leaves the others in the default suite.
        node.name: whole | {mark for each in node.decorator_list for mark in marks(ast.unparse(each).partition("(")[0])}
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def marks(text: str) -> set[str]:
    return MARKS & set(re.findall(r"pytest\.mark\.(\w+)", text))


def proofs(row: str) -> list[tuple[str, str, str]]:
    """File, test, and the mark in parentheses behind it, of every proof in a row."""
    column = row.strip("| ").split(" | ")[1]
    found = re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`(?: \((\w+)\))?", column)
    assert column.count("`") == 2 * len(found), f"not all of this names a test: {column}"
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.strip("| ")[:60])
def test_a_promise_is_proved(row: str) -> None:
    assert row.count(" | ") == 1, "a promise and its tests"
    assert proofs(row)
    for file, name, mark in proofs(row):
        assert (ROOT / file).is_file(), file
        assert name in functions(file), f"{file} has no {name}"
        assert functions(file)[name] == ({mark} if mark else set()), f"{file}::{name}: what runs it is said otherwise"


def test_every_subject_has_promises() -> None:
    subjects = PROMISED.split("\n## ")[1:]
    assert len(subjects) > 8
    for subject in subjects:
        assert "| promise | proved by |" in subject, subject.splitlines()[0]
        assert sum(row in subject for row in ROWS) > 2, subject.splitlines()[0]


def test_no_promise_is_made_twice() -> None:
    promises = [row.split(" | ")[0] for row in ROWS]
    assert len(promises) == len(set(promises))


def test_what_is_not_promised_is_said() -> None:
    for word in ("GPU", "threads", "flock", "power"):
        assert word in NOT_PROMISED
