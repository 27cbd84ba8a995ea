"""The examples in docstrings give what they print, and every loss has one."""

import ast
import doctest
import importlib

import pytest

from tests.structure import source

WITH_EXAMPLES = [
    source.name(path) for path in source.files("segda", "pipelines") if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_print_what_they_say(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed, capsys.readouterr().out


def test_every_loss_has_an_example() -> None:
    without = [
        f"{source.name(path)}.{node.name}"
        for path in source.files("segda/losses")
        for node in source.tree(path).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and ">>> " not in (ast.get_docstring(node) or "")
    ]
    assert not without
