"""Which error is printed if several processes fail."""

import json
import signal
from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from pipelines.running import launch
from segda.engine import signals

NOW = 2_000_000_000  # later than failures without a report, which get the current time
STOPPED = str(signals.StoppedError(signal.SIGTERM, "step 3 of 5 is saved"))


def failure(folder: Path, rank: int, code: int, message: str = "", time: int = NOW) -> ProcessFailure:
    """The failure of a process; if `message` is set, the process reported it before it ended."""
    file = folder / f"{rank}.json"
    if message:
        file.write_text(json.dumps({"message": message, "timestamp": time}))
    return ProcessFailure(local_rank=rank, pid=1, exitcode=code, error_file=str(file))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, 2), (signal.SIGSEGV, 1)])
def test_a_survivor_that_was_ended_is_not_the_reason(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """torch ends the other processes by SIGTERM and they save; the user did not request a stop."""
    failures = [failure(tmp_path, 1, -number), failure(tmp_path, 0, 75, STOPPED)]
    message, exit_code = launch._explain_first_failure(failures)
    assert message.startswith(f"error: process 1 was ended by {number.name}")
    assert exit_code == code


def test_a_requested_stop_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher received the signal; a process that has just started may be killed by it."""
    monkeypatch.setattr(signals, "requested", lambda: int(signal.SIGTERM))
    failures = [failure(tmp_path, 1, -signal.SIGTERM), failure(tmp_path, 0, 75, STOPPED)]
    assert launch._explain_first_failure(failures) == (STOPPED, 75)


def test_a_stop_of_all_is_reported(tmp_path: Path) -> None:
    """A scheduler may signal the processes but not the launcher."""
    failures = [failure(tmp_path, rank, 75, STOPPED, NOW + rank) for rank in range(2)]
    assert launch._explain_first_failure(failures) == (STOPPED, 75)


def test_the_earliest_error_is_reported(tmp_path: Path) -> None:
    """Regardless of which exit was noticed first."""
    failures = [
        failure(tmp_path, 2, -signal.SIGABRT),
        failure(tmp_path, 1, 2, "error: later", 3),
        failure(tmp_path, 0, 2, "error: data/a.png: cut off", 2),
    ]
    assert launch._explain_first_failure(failures) == ("error: data/a.png: cut off", 2)


def test_an_end_without_a_message_is_one_line(tmp_path: Path) -> None:
    message, code = launch._explain_first_failure([failure(tmp_path, 1, 7)])
    assert message.startswith("error: process 1 ended with exit code 7 and without an error message")
    assert code == 1
