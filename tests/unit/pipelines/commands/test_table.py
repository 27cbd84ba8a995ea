"""`segda table`: runs by folder, name or results file, as text, Markdown or JSON."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from tests.unit.report.scored_runs import accuracy, digits, write_run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with three seeds of `digits` in `runs`."""
    monkeypatch.chdir(tmp_path)
    digits(tmp_path / "runs")


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["table", *words]) == 0
    return capsys.readouterr().out


def tables(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(printed(capsys, *words, "--json"))["tables"]
    return result


@pytest.mark.parametrize("path", [[], ["."], ["runs"], ["digits"], ["--runs", "runs"]])
def test_the_seeds_of_a_pipeline_are_put_together(capsys: pytest.CaptureFixture[str], path: list[str]) -> None:
    result = tables(capsys, *path)
    assert list(result) == ["digits"]
    assert result["digits"]["seeds"] == [0, 1, 2]
    assert result["digits"]["rows"]["dann"]["mean"] == pytest.approx(0.84)
    assert result["digits"]["rows"]["with labels"]["oracle"] is True
    assert result["digits"]["measure"] == "accuracy"


@pytest.mark.parametrize("path", ["digits-seed1", "runs/digits-seed1.lock.json"])
def test_a_run_may_stand_alone(capsys: pytest.CaptureFixture[str], path: str) -> None:
    assert tables(capsys, path)["digits"]["seeds"] == [1]


def test_a_results_file_shows_the_same_without_any_run(capsys: pytest.CaptureFixture[str]) -> None:
    forms: list[list[str]] = [[], ["--markdown"], ["--json"], ["--classes"]]
    before = [printed(capsys, "runs", *form) for form in forms]
    printed(capsys, "runs", "--save", "results/digits.json")
    shutil.rmtree("runs")
    assert [printed(capsys, "results/digits.json", *form) for form in forms] == before


def test_markdown_of_one_table_is_the_table_alone_and_of_several_has_titles(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printed(capsys, "--markdown").startswith("| row | seed 0 |")
    write_run(Path("runs"), "moons", 0, {"source only": accuracy(60)})
    assert "**moons**, accuracy in percent\n\n| row |" in printed(capsys, "--markdown")


def test_rows_may_be_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_run(Path("runs"), "moons", 0, {"source only": accuracy(60)})
    result = tables(capsys, "--row", "dann")
    assert {title: list(table["rows"]) for title, table in result.items()} == {"digits": ["dann"]}


def test_claims_beside_a_results_file_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "--save", "results/all.json")
    Path("results/all.claims.yaml").write_text(
        "sources: {tutorial: the lecture's last table}\ntables: {digits: {dann: {tutorial: 94.3}}}\n"
    )
    text = printed(capsys, "results/all.json")
    assert "94.3" in text
    assert "tutorial: the lecture's last table" in text
    assert "94.3" in printed(capsys, "--claims", "results/all.claims.yaml")
    assert "94.3" not in printed(capsys)


def test_classes_are_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert "zero" not in printed(capsys)
    text = printed(capsys, "--classes")
    assert "zero" in text
    assert "mIoU" not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "no such run; runs in runs: digits"),
        (["results/gone.json"], "no such file"),
        (["empty"], "empty: no runs in it"),
        (["--row", "adda"], "no table has adda; rows are source only, dann, with labels"),
        (["--claims", "wrong.yaml"], "tables.digit: no such table; did you mean 'digits'?"),
        (["--claims", "bad.yaml"], "tables.digits.dann.tutorial: found 'high'; expected a number"),
        (["unfinished"], "no finished evaluation"),
    ],
)
def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    Path("empty").mkdir()
    Path("wrong.yaml").write_text("tables: {digit: {dann: {tutorial: 94.3}}}")
    Path("bad.yaml").write_text("tables: {digits: {dann: {tutorial: high}}}")
    folder = write_run(Path("runs"), "unfinished", 0, {"x": accuracy(60)})
    (folder / "manifest.json").unlink()
    assert main(["table", *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
