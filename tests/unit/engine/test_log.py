"""The log of a stage, across restarts."""

import io
import json
from pathlib import Path

import pytest

from segda.engine.health import Limits
from segda.engine.log import Log
from segda.errors import ArtefactError


def steps(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]


def write(folder: Path, start: int, made: list[int], show: bool = True) -> None:
    with Log(folder, "title", start, 8, show=show, limits=Limits()) as log:
        for step in made:
            log.write(step, {"losses": {"generator.cycle": 0.5}})


def test_a_line_holds_what_it_was_given(tmp_path: Path) -> None:
    write(tmp_path, 0, [2])
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert line["losses"] == {"generator.cycle": 0.5}
    assert line["seconds"] >= 0


@pytest.mark.promise("data-wait")
@pytest.mark.parametrize(("share", "text"), [(0.04, ""), (0.26, "waiting for data 26%, ")])
def test_waiting_is_told_when_it_is_notable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float, text: str
) -> None:
    with Log(tmp_path, "title", 0, 1, show=True, limits=Limits()) as log:
        log.write(1, {"losses": {"generator.cycle": 0.5}}, waiting=share)
    assert json.loads((tmp_path / "log.jsonl").read_text())["waiting"] == share
    assert capsys.readouterr().out.endswith(f" left, {text}cycle 0.5\n")


@pytest.mark.promise("log-has-each-step-once")
def test_a_restart_drops_the_lines_it_makes_again(tmp_path: Path) -> None:
    write(tmp_path, 0, [2, 4, 6])
    write(tmp_path, 4, [])
    assert steps(tmp_path) == [2, 4]
    write(tmp_path, 4, [6, 8])
    assert steps(tmp_path) == [2, 4, 6, 8]
    write(tmp_path, 0, [])
    assert steps(tmp_path) == []


@pytest.mark.promise("log-has-each-step-once")
def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, 0, [2, 4])
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 5, "loss')
    write(tmp_path, 6, [8])
    assert steps(tmp_path) == [2, 4, 8]


def test_other_processes_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, 0, [2, 8], show=False)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_the_last_step_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, 0, [2, 8])
    output = capsys.readouterr().out
    assert output.endswith("0:00:00 left, cycle 0.5\n")
    assert " title: steps 8/8, " in output


@pytest.mark.promise("full-disk")
def test_a_full_disk_is_one_error_that_names_the_log(tmp_path: Path) -> None:
    """The write fails, and so does the close."""

    class Full(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, content: object) -> int:
            raise OSError(28, "No space left on device")

    log = Log(tmp_path, "title", 0, 8, show=True, limits=Limits())
    assert log.file is not None
    log.file.close()
    log.file = io.TextIOWrapper(io.BufferedWriter(Full()))
    message = r"log\.jsonl: cannot be written \(No space left on device\); free space"
    with pytest.raises(ArtefactError, match=message), log:
        log.write(1, {"losses": {}})


def test_a_log_that_cannot_be_opened_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 0, [2])

    def refuse(*arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(ArtefactError, match=r"log\.jsonl: cannot be written \(Read-only file system\)"):
        write(tmp_path, 2, [4])
    assert steps(tmp_path) == [2]
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
