"""A run with nothing to do prints the usual lines, respects other processes' locks, and starts no process."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.running import launch, up_to_date
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.engine import session
from tests.unit.report.scored_runs import accuracy, write_run


def run(*words: str) -> int:
    return main(["job.yaml", *words])


@pytest.fixture
def finished(toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy's folder after a complete run; afterwards neither Accelerate nor a launch may start."""
    assert run() == 0
    capsys.readouterr()
    monkeypatch.setattr(session.Session, "__init__", lambda *_: pytest.fail("a session was begun"))
    monkeypatch.setattr(launch, "start", lambda *_, **__: pytest.fail("processes were started"))
    return toy


@pytest.mark.promise("light-plan")
@pytest.mark.parametrize("words", [(), ("--processes", "2"), ("--wait",), ("--only", "total")])
def test_it_prints_every_stage_and_writes_the_same_lock(
    finished: Path, words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lock = Path("runs/job.lock.json")
    before = json.loads(lock.read_text())
    lock.unlink()
    assert run(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "[1/3] first: done",
        "[2/3] second: done",
        "[3/3] total: done",
        "nothing to do",
    ]
    assert json.loads(lock.read_text()) == before
    assert not list(Path("runs").glob(".*.claim*"))


def test_a_disk_that_cannot_be_written_is_enough(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a read-only mount, of which `access` knows even for root."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(Store, "write_lock", lambda *_: pytest.fail("written"))
    monkeypatch.setattr(Store, "claim_run", lambda *_: pytest.fail("claimed"))
    assert run() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to do"


def test_another_run_of_the_name_is_respected(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store(Path("runs")).claim_run("job"):
        assert run() == 2
    assert "another process works in it" in capsys.readouterr().err


@pytest.mark.promise("stale-lock-removed")
@pytest.mark.parametrize("words", [(), ("--force", "total")])
def test_a_claim_that_a_death_left_on_a_finished_stage_is_cleared(
    toy: Path, words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    capsys.readouterr()
    folder = next(folder for folder in Path("runs").glob("*-*") if folder.is_dir())
    left = Store(Path("runs")).claim(folder).path
    left.write_text("")
    assert run(*words) == 0
    assert "[1/3] first: done" in capsys.readouterr().out
    assert not left.exists()


@pytest.mark.parametrize("words", [("--force",), ("--force", "total"), ("--set", "stages.first.value=7")])
def test_what_is_to_be_made_is_made(toy: Path, words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    capsys.readouterr()
    assert run(*words) == 0
    assert "[3/3] total: run" in capsys.readouterr().out


def test_damage_is_seen(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    next(Path("runs").glob("toy.sum-*/sum.txt")).unlink()
    capsys.readouterr()
    assert run() == 0
    assert "[3/3] total: run (damaged: sum.txt is missing)" in capsys.readouterr().out


def test_numbers_of_processes_that_cannot_be_are_refused(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert run("--processes", "0") == 2
    assert "--processes: 0; expected at least 1" in capsys.readouterr().err


def test_the_table_and_the_place_of_the_report_are_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a run, and as `segda report` does."""
    monkeypatch.chdir(tmp_path)
    rows = {"source only": accuracy(60), "dann": accuracy(80)}
    evaluation = write_run(Path("runs"), "digits", 0, rows)
    report = Path("runs/report-01234567")
    report.mkdir()
    (report / "report.html").touch()
    outputs = manifests.describe_outputs(report, ["report.html"])
    manifests.write(report, Manifest("report", "report", 1, "0" * 64, {}, {}, outputs))
    assert up_to_date.print_results([evaluation, report])
    out = capsys.readouterr().out
    assert "source only" in out
    assert out.endswith("report: runs/report-01234567/report.html\n")
    assert not up_to_date.print_results([Path("runs/align-digits0evaluate")])
