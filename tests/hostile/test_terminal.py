"""External names on a terminal: escape sequences, line breaks and rich markup are printed as text."""

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.__main__ import main
from pipelines.command_line import explain
from pipelines.commands import distance, select
from pipelines.planning import plan as plans
from pipelines.planning.plan import StagePlan
from segda.engine.session import Session
from segda.errors import DataError
from segda.report import table, terminal
from segda.report.table import Result
from segda.terminal.progress import ProgressLine
from tests.configs import layouts
from tests.unit.report.scored_runs import accuracy, write_run

EVIL = "a\x1b[31m\x1b]0;owned\x07\n[red]error: b[bold]\r\u202e.png"
ESCAPED = r"a\x1b[31m\x1b]0;owned\x07\n[red]error: b[bold]\r\u202e.png"

Printed = Callable[[], str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """Return the output since the last call, after checking that it has no control characters but line breaks."""

    def read() -> str:
        captured = capsys.readouterr()
        text = captured.out + captured.err
        control = {letter for letter in text if unicodedata.category(letter) == "Cc" and letter != "\n"}
        assert not control, repr(text)
        assert "\u202e" not in text
        assert not [line for line in text.splitlines() if line.startswith(("[red]", "error: b"))]
        return text

    return read


@pytest.mark.promise("names-are-text")
def test_an_error_is_one_line_whatever_its_file_is_called(printed: Printed) -> None:
    text, code = explain(DataError(f"{EVIL.replace(chr(10), '')}: broken"), debug=False)
    assert code == 2
    assert text.isprintable()
    assert r"\x1b[31m" in text
    trace, _ = explain(ZeroDivisionError(EVIL), debug=True)
    assert "\x1b" not in trace
    assert trace.startswith("ZeroDivisionError: a\n"), "codes are taken out of other packages' messages"
    assert main([f"{EVIL}.yaml"]) == 2
    assert len(printed().splitlines()) == 1


def test_check_names_hostile_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Printed) -> None:
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    layouts.gta5(tmp_path)
    layouts.write_image(tmp_path / "gta5" / "images" / EVIL, 64, 96, 0)
    assert main(["check", "gta5"]) == 2, "such a name breaks lists of files"
    assert r"\x1b[31m" in printed()
    (tmp_path / "gta5" / "images" / EVIL).unlink()
    tame = EVIL.replace("\n", "").replace("\r", "")
    (tmp_path / "gta5" / "images" / tame).write_bytes(b"no picture")
    (tmp_path / "gta5" / "labels" / tame).write_bytes(b"no picture")
    assert main(["check", "gta5"]) == 2, "the file is not a picture"
    assert r"\x1b[31m" in printed()


def test_check_of_an_export_names_hostile_files(tmp_path: Path, printed: Printed) -> None:
    content = {"layout": EVIL, "space": EVIL, "keys": [], "files": {EVIL: {"bytes": 1, "sha256": ""}}, "sha256": ""}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / EVIL).touch()
    with open(os.fsencode(tmp_path) + b"/images/\xff\xfe.png", "w"):
        pass
    assert main(["check", str(tmp_path)]) == 1
    text = printed()
    assert r"images/\udcff\udcfe.png" in text, "a name that is not UTF-8"
    assert f"missing   {ESCAPED}" in text
    assert f"too many  images/{ESCAPED}" in text


def test_status_table_and_report_of_hostile_runs(tmp_path: Path, printed: Printed) -> None:
    rows = {EVIL: accuracy(60, dataset=EVIL), f"{EVIL}2": accuracy(80, oracle=True)}
    write_run(tmp_path / "runs", "job", 0, rows)
    lock = json.loads((tmp_path / "runs" / "job.lock.json").read_text())
    del lock["checksum"]  # as in a hand-written file
    lock["stages"][EVIL] = {"kind": EVIL, "folder": None, "key": "", "state": EVIL}
    (tmp_path / "runs" / f"{EVIL}.lock.json").write_text(json.dumps(lock))
    for words in (["status"], ["status", EVIL], ["table", "job"], ["table", "job", "--markdown"], ["report", "job"]):
        assert main([*words, "--runs", str(tmp_path / "runs")]) == 0
        assert r"\x1b" in printed().replace("\n", "").replace(" ", "")


def test_tables_show_names_as_they_are_written(printed: Printed) -> None:
    made = table.build([Result(EVIL, [accuracy(60)]), Result("[bold]b[/]", [accuracy(70)])])
    Console(width=200).print(terminal.renderable(made, 200))
    text = printed()
    assert "[bold]b[/]" in text
    assert "".join(text.split()).count(r"owned\x07") >= 1


def test_selection_and_distance(printed: Printed) -> None:
    scores = {EVIL: 0.5}
    candidate = {"scores": {EVIL: 1.0}, "trained_on_target_labels": True}
    select.show({
        "candidates": {EVIL: candidate},
        "picks": {EVIL: {"candidate": EVIL, "larger_is_better": True, "published": EVIL}},
        "oracle": {"measure": EVIL, "scores": scores, "candidate": EVIL},
    })  # fmt: skip
    numbers = ("proxy_a_distance", "frechet_distance", "kernel_distance", "source_error", "joint_error", "bound")
    distance.show({EVIL: {**dict.fromkeys(numbers, 0.5), "samples": 3}})
    assert printed().replace("\n", "").replace(" ", "").count(r"\x1b[31m") >= 4


def test_the_plan_on_a_terminal_and_in_a_pipe(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = StagePlan(EVIL, "[bold]kind", "", "run", None, EVIL, {})
    plans.print_plan([planned], EVIL)
    assert printed().splitlines()[0] == ESCAPED
    recorded = Console(width=400, record=True, force_terminal=True)
    monkeypatch.setattr("rich.console.Console", lambda: recorded)
    plans.print_plan([planned], EVIL)
    text = recorded.export_text(styles=False)
    assert ESCAPED in text
    assert "[bold]kind" in text


def test_the_live_line(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProgressLine(EVIL, 0, 1, "steps") as line:
        line.update(1, EVIL)
    assert printed().count(ESCAPED) == 2
    recorded = Console(width=400, record=True, force_terminal=True)
    monkeypatch.setattr("segda.terminal.progress.Console", lambda **options: recorded)
    with ProgressLine(EVIL, 0, 1, "steps") as line:
        line.update(1, "[red]note")
    text = recorded.export_text(styles=False)
    assert ESCAPED in text
    assert "[red]note" in text


def test_a_session_prints_text(printed: Printed) -> None:
    Session(cpu=True).print(EVIL)
    assert printed() == f"{ESCAPED}\n"


def test_json_is_ascii(tmp_path: Path, capsys: Any) -> None:
    write_run(tmp_path / "runs", "job", 0, {EVIL: accuracy(60)})
    assert main(["table", "job", "--json", "--runs", str(tmp_path / "runs")]) == 0
    assert "\x1b" not in capsys.readouterr().out
