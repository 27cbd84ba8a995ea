"""Two runs in one folder: the second is refused before any work, or waits; a dead one blocks nothing."""

import json
import shlex
import socket
from pathlib import Path

import pytest

from pipelines.__main__ import main
from tests.cli.conftest import JOB
from tests.resources.forked import Forked, paused_before

SOURCE = ["job.yaml", "--only", "source"]


@pytest.fixture
def other(data: Path) -> list[str]:
    """A run of another name that shares a stage, and would begin with work of its own."""
    Path("other.yaml").write_text(JOB.replace("  translate:\n", "  shift:\n").replace("from: translate", "from: shift"))
    return ["other.yaml", "--only", "shift", "--only", "source"]


def run(words: list[str]) -> None:
    assert main(words) == 0


def listing() -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in Path("runs").rglob("*")}


def state(run: str, stage: str) -> str:
    return str(json.loads(Path(f"runs/{run}.lock.json").read_text())["stages"][stage]["state"])


@pytest.mark.promise("second-run")
def test_the_second_is_refused_before_any_work(
    data: Path, other: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Under the same name, or under another one where they share a stage; the line names host and process."""
    with paused_before(1, lambda: run(SOURCE)) as owner:
        before = listing()
        for words, folder in ((SOURCE, "runs/job.lock.json"), (other, "runs/supervise-")):
            assert main(words) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"error: {folder}")
            assert f"process {owner.process} on {socket.gethostname()} since" in line
            assert "--wait" in line
            assert listing() == before
        assert main(["job.yaml", "--plan"]) == 0, "a plan needs no lock"
        Path("go").touch()
        assert owner.wait() == 0
    assert main([*other[:1], "--only", "source"]) == 0
    assert "source: done" in capsys.readouterr().out
    assert not [path for path in Path("runs").rglob(".*") if ".claim" in path.name]


@pytest.mark.promise("second-run")
def test_the_second_waits_when_asked_to(data: Path, other: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """A stage that the first has finished by then is not run again."""
    assert main(["job.yaml", "--only", "translate"]) == 0
    with (
        paused_before(1, lambda: run(["job.yaml", "--only", "source", "--only", "adapted"])) as owner,
        Forked(lambda: run([*other[:1], "--only", "source", "--wait"])) as second,
    ):
        output = ""
        while "waiting for another process" not in output:
            output += capfd.readouterr().out
        assert f"process {owner.process} on" in output
        assert not second.ended()
        Path("go").touch()
        assert second.wait() == 0
        assert owner.wait() == 0
    assert state("other", "source") == state("job", "adapted") == "done"
    output += capfd.readouterr().out
    assert output.count("source: run") == 1
    assert "source: done" in output


@pytest.mark.promise("second-run")
def test_a_dead_run_is_followed_at_once(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also while its loading processes are still alive, which end only seconds later."""
    with paused_before(1, lambda: main([*SOURCE, "--workers", "1"])) as owner:
        owner.kill()
        assert main(SOURCE) == 0
    assert state("job", "source") == "done"
    assert capsys.readouterr().err == ""


def test_the_note_names_the_command(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/segda", "run", *SOURCE])
    with paused_before(1, lambda: main(SOURCE)):
        notes = [json.loads(path.read_text()) for path in Path("runs").glob(".*.claim.json")]
    assert len(notes) == 2
    assert {note["command"] for note in notes} == {shlex.join(["segda", "run", *SOURCE])}
