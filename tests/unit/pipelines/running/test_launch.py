"""Which of several processes' ends is told."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.running import launch
from segda.engine import signals
from segda.engine.signals import StoppedError


def _note(folder: Path, rank: int, text: str, code: int, time: int = 0) -> None:
    content = {"time": time, "text": text, "code": code, "lost": ""}
    (folder / f"{rank}.json").write_text(json.dumps(content))


def test_a_survivor_that_was_ended_is_not_the_reason(tmp_path: Path) -> None:
    """The launcher ends the others by SIGTERM, which they heed; the user asked for nothing."""
    stopped = StoppedError(signal.SIGTERM, "36 scenes are written")
    _note(tmp_path, 0, str(stopped), stopped.code)
    text, code = launch._first_failure(str(tmp_path), 1, -signal.SIGKILL)
    assert text.startswith("error: process 1 was ended by SIGKILL")
    assert code == 2
    text, code = launch._first_failure(str(tmp_path), 1, -signal.SIGSEGV)
    assert text.startswith("error: process 1 was ended by SIGSEGV")
    assert code == 1


def test_a_stop_that_was_asked_for_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked by the launcher, of which a process that has just begun may die."""
    stopped = StoppedError(signal.SIGTERM, "step 3 of 5 is saved")
    _note(tmp_path, 0, str(stopped), stopped.code)
    monkeypatch.setattr(signals, "requested", lambda: int(signal.SIGTERM))
    assert launch._first_failure(str(tmp_path), 1, -signal.SIGTERM) == (str(stopped), 75)


def test_a_stop_of_all_is_told(tmp_path: Path) -> None:
    """A scheduler may have told the processes, and not the launcher."""
    stopped = StoppedError(signal.SIGTERM, "step 3 of 5 is saved")
    for rank in range(2):
        _note(tmp_path, rank, str(stopped), stopped.code, rank)
    assert launch._first_failure(str(tmp_path), 0, stopped.code) == (str(stopped), 75)


def test_an_error_of_its_own_is_told_first(tmp_path: Path) -> None:
    """Whatever ended the process that was seen to end first."""
    _note(tmp_path, 0, "error: data/a.png: cut off", 2, 1)
    _note(tmp_path, 1, "error: later", 2, 2)
    assert launch._first_failure(str(tmp_path), 1, -signal.SIGKILL) == ("error: data/a.png: cut off", 2)


def test_a_launch_that_does_not_end_after_a_death_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where torch's launcher waits for a lock that the dead process holds."""

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(launch, "LAUNCHER_END_SECONDS", 0.0)
    monkeypatch.setattr(os, "_exit", leave)
    both = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(2)]
    try:
        for rank, process in enumerate(both):
            (tmp_path / f"{rank}.pid").write_text(str(process.pid))
        turns = iter([False, False, True])
        launch._watch(str(tmp_path), lambda seconds: next(turns))
        assert [process.poll() for process in both] == [None, None], "nobody has died"
        both[1].kill()
        os.waitid(os.P_PID, both[1].pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(SystemExit) as left:
            launch._watch(str(tmp_path), lambda seconds: False)
        assert left.value.code == 2
        assert both[0].wait(10) == -signal.SIGKILL
        assert both[1].wait(10) == -signal.SIGKILL, "its end was left to be seen by the launcher"
    finally:
        for process in both:
            process.kill()
    assert "error: process 1 was ended by SIGKILL" in capsys.readouterr().err
