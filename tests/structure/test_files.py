"""Names and lengths of files, and what no line of the source does."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.structure import source

LONGEST = 400
VAGUE = {"utils", "util", "common", "base", "helpers", "helper", "misc", "core", "tools", "functions"}
# Names in the papers' code that a reader would have to look up.
CRYPTIC = re.compile(r"\b(net[GDFE](_[AB])?|(real|fake|rec|idt|loss|lambda)_[ABXYST]|criterion(GAN|Idt)|loss_idt)\b")


def shipped() -> tuple[Path, ...]:
    return source.files("segda", "pipelines", "tools")


def everything() -> tuple[Path, ...]:
    return source.files("segda", "pipelines", "tools", "tests")


def check_absent(pattern: re.Pattern[str], paths: Iterable[Path]) -> None:
    for path in paths:
        match = pattern.search(path.read_text())
        assert not match, f"{path}: {match and match.group()}"


def test_files_are_short() -> None:
    long = {source.name(path): count for path in everything() if (count := len(path.read_text().split("\n"))) > LONGEST}
    assert not long, f"split by purpose: {long}"


def test_names_say_what_is_inside() -> None:
    for path in everything():
        parts = {*path.relative_to(source.ROOT).with_suffix("").parts[1:]}
        assert not parts & VAGUE, path
        assert re.fullmatch(r"[a-z0-9_]+", path.stem), path
        assert not re.search(r"_v\d+$|_(new|old|final)$", path.stem), path


def test_no_cryptic_names() -> None:
    check_absent(CRYPTIC, shipped())


def test_nothing_is_left_to_do() -> None:
    check_absent(re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError\()"), shipped())


def test_no_path_of_one_machine() -> None:
    paths = re.compile(r"""["' =](/home/|/root/|/mnt/|/data/|/Users/|[A-Z]:\\\\)""")
    check_absent(paths, (*shipped(), *(source.ROOT / "configs").rglob("*.yaml")))


@pytest.mark.promise("no-global-random-state")
def test_no_global_random_state() -> None:
    """A draw from a global generator would make results depend on what else was drawn."""
    numpy = r"(np|numpy)\.random\.(rand|randn|randint|choice|shuffle|seed|permutation|uniform|normal)"
    python = r"random\.(random|randint|choice|shuffle|seed|uniform|sample|gauss)"
    for path in shipped():
        nodes = list(ast.walk(source.tree(path)))
        # Where the module is not imported, `random` is a generator.
        imported = any(ast.unparse(node) == "import random" for node in nodes if isinstance(node, ast.Import))
        pattern = re.compile(f"{numpy}|{python}" if imported else numpy)
        names = (ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call))
        assert not list(filter(pattern.fullmatch, names)), path


def test_user_input_is_not_asserted() -> None:
    """`python -O` drops assertions; readers and configs raise errors with a remedy."""
    for path in source.files("segda/data/readers", "segda/networks/encoders", "segda/networks/heads"):
        assert not [node for node in ast.walk(source.tree(path)) if isinstance(node, ast.Assert)], path
