"""`segda status --watch`: what is shown of a run at work, in a terminal of 80 columns and elsewhere, and its end."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.__main__ import main
from pipelines.running import watch
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.terminal import progress
from segda.terminal.progress import Progress, ProgressLine

NOTE = "classification 0.769, feature_adversarial 0.696, feature_adversarial (D) 1.39"


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A run whose first stage is done, whose second one is at work, and whose third one is to do."""
    monkeypatch.chdir(tmp_path)
    store = Store(Path("runs"))
    stages = {
        name: {"kind": "align", "folder": f"align-0000000{number}", "key": "0" * 64, "state": "run"}
        for number, name in enumerate(("first", "second", "total"))
    }
    store.write_lock("job", {"schema": 1, "run": "job", "stages": stages, "config": {"stages": {}}})
    first, second, _ = (store.root / str(stage["folder"]) for stage in stages.values())
    for folder in (first, second):
        folder.mkdir()
        (folder / "stage.json").write_text("{}")
    manifests.write(first, Manifest("first", "align", 1, "0" * 64, {}, {}, {}, provenance={"seconds": 754.2}))
    state = Progress(230, 600, "2.31 steps/s", 160.0, NOTE)
    (second / progress.FILE_NAME).write_text(json.dumps(state._asdict()))
    return store


def after(looks: int, then: Callable[[], None]) -> Callable[[float], None]:
    """In place of `sleep`: does something at the last of so many looks."""
    seen: list[float] = []

    def sleep(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == looks:
            then()

    return sleep


def test_elsewhere_blocks_are_repeated_until_the_run_ends(
    at_work: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = at_work.claim_run("job")
    claim.take()
    monkeypatch.setattr(watch.time, "sleep", after(2, claim.release))
    monkeypatch.setattr(watch.time, "strftime", lambda form: "2026-11-29 08:00:00")
    assert main(["status", "job", "--watch", "0.5"]) == 0
    first, second, last = capsys.readouterr().out.strip().split("\n\n")
    assert first == second
    title, header, *rows = first.splitlines()
    assert title == "2026-11-29 08:00:00 job"
    assert header.split() == ["stage", "state", "done", "left", "speed"]
    assert re.fullmatch(r"  first   done +took 0:12:34", rows[0])
    assert re.fullmatch(rf"  second  running  230/600  0:02:\d\d +2.31 steps/s  {re.escape(NOTE)}", rows[1])
    assert rows[2] == "  total   to do"
    assert "job: no process works on it" in last
    assert "second  unfinished  230/600\n" in last


def test_a_terminal_of_80_columns_shows_a_line_a_stage(at_work: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    console.print(watch._drawn({"job": watch.rows(at_work, "job", working=True)}))
    title, *rows = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert title.strip() == "job, 1 of 3 stages done"
    assert len(rows) == 3
    assert all(len(row) <= 80 for row in rows)
    assert re.match(r"  second +running +230/600 +0:02:\d\d +2.31 steps/s +classification 0\.", rows[1])
    assert rows[1].rstrip().endswith("…")


def test_where_the_terminal_is_low_what_is_done_is_counted(at_work: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "5")
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    console.print(watch._drawn({"job": watch.rows(at_work, "job", working=True)}))
    lines = [line.split()[0] for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines == ["job,", "second", "total"]


def test_without_a_run_at_work_it_says_so(at_work: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--watch"]) == 0
    assert capsys.readouterr().out == "no process works on a run in runs\n"


def test_leaving_is_no_error(
    at_work: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", after(1, leave))
    with at_work.claim_run("job"):
        assert main(["status", "--watch"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("words", "message"), [
    (["--watch", "job"], "found 'job', expected seconds; a run's name comes first: segda status job --watch"),
    (["--watch", "0"], "found 0, expected seconds above 0"),
    (["--watch", "--verify"], "not allowed with argument"),
])  # fmt: skip
def test_what_is_no_number_of_seconds_is_refused(
    words: list[str], message: str, at_work: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", *words]) == 2
    assert message in capsys.readouterr().err


def test_the_file_says_how_far_a_stage_is_and_goes_with_it(tmp_path: Path) -> None:
    with ProgressLine("title", 0, 600, "steps", folder=tmp_path) as line:
        assert progress.read(tmp_path) is None
        line.update(3, "loss 2")
        line.update(4, "loss 1")  # not two seconds later
        found = progress.read(tmp_path)
        assert found is not None
        assert (found.done, found.total, found.note) == (3, 600, "loss 2")
    assert list(tmp_path.iterdir()) == []


OF_WORDS = json.dumps(dict.fromkeys(Progress._fields, "x"))


@pytest.mark.parametrize("content", ["", "[1]", '{"done": 3}', "[" * 100_000, OF_WORDS])
def test_a_damaged_file_says_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / progress.FILE_NAME).write_text(content)
    assert progress.read(tmp_path) is None


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with ProgressLine("title", 0, 2, "steps", folder=tmp_path / "file") as line:
        line.update(2)
    assert progress.read(tmp_path / "file") is None
