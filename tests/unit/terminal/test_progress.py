"""The progress line, in terminals of several widths and where there is none."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from rich.cells import cell_len

from segda.terminal import progress
from segda.terminal.progress import ProgressLine

NOTE = "waiting for data 12%, classification 0.769, feature_adversarial 0.696"
SCRIPT = f"""
import time
from segda.terminal.progress import ProgressLine
with ProgressLine(TITLE, 1000, 2000, "steps") as line:
    line.update(1010, {NOTE!r})
    for done in (1020, 1030):
        time.sleep(0.4)
        line.update(done)
    line.print("a line that stays")
    line.update(1250)
"""
TITLE = "supervise-caab7133"


def shown(columns: int, title: str = TITLE) -> list[str]:
    """What a terminal of so many columns was sent, each state of the line and each line that stays."""
    own, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment |= {"TERM": "xterm", "PYTHONPATH": os.getcwd(), "PYTHONIOENCODING": "utf-8"}
    script = SCRIPT.replace("TITLE", repr(title))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    )
    os.close(terminal)
    sent = b""
    while True:
        try:
            part = os.read(own, 65536)
        except OSError:  # Linux says so that nobody has the terminal open any more
            break
        if not part:
            break
        sent += part
    os.close(own)
    assert process.wait() == 0, sent.decode()
    text = re.sub(r"\x1b\[[0-9;]*m", "", sent.decode())
    return [line.rstrip() for line in re.split(r"(?:\r|\n|\x1b\[[0-9;?]*[A-Za-z])+", text) if line.strip()]


BAR, RATE, LEFT = "[━╸╺]{12}", r"\d+\.\d\d steps/s", r"0:0\d:\d\d"


@pytest.mark.parametrize(("columns", "expected"), [
    (160, f"{TITLE} {BAR} 1250/2000 {RATE} {LEFT} {NOTE}"),
    (80, f"{TITLE} {BAR} 1250/2000 {RATE} {LEFT} waiting f.*…"),
    (60, f"{TITLE} 1250/2000 {RATE} {LEFT}"),
    (40, f"{TITLE} 1250/2000 {LEFT}"),
    (30, f"supervise-c… 1250/2000 {LEFT}"),
])  # fmt: skip
def test_the_note_gives_way_first(columns: int, expected: str) -> None:
    """Then the bar, the rate and the title; never the count and the time left. No line is too long."""
    lines = shown(columns)
    assert re.fullmatch(expected, lines[-1]), lines[-1]
    assert max(map(cell_len, lines)) <= columns
    assert f"{TITLE}: a line that stays" in " ".join(lines)


def test_a_title_of_wide_characters_is_measured_as_it_is_shown() -> None:
    lines = shown(40, "语义分割的自适应训练以及评估")
    assert re.fullmatch(f"语义分割的.*… 1250/2000 {LEFT}", lines[-1]), lines[-1]
    assert max(map(cell_len, lines)) <= 40


def test_each_step_moves_the_line() -> None:
    """Notes come with the lines of the log only, which may be minutes apart."""
    counts = [re.search(r"(\d+)/2000", line) for line in shown(100)]
    assert {"1000", "1010", "1020", "1030", "1250"} >= {count[1] for count in counts if count} >= {"1010", "1020"}


class Clock:
    """Replaces the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(progress.time, "strftime", lambda form: "2026-11-29 08:00:00")


def test_the_time_left_is_known_however_slow_steps_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 s a step; between two of them it counts down."""
    clock = Clock(monkeypatch)
    line = ProgressLine("title", 10, 20, "steps", show=False)
    assert line.seconds_left() is None
    for step, left in ((11, 360.0), (12, 320.0)):
        clock.now += 40
        line.update(step)
        assert line.seconds_left() == pytest.approx(left)
    clock.now += 15
    assert line.seconds_left() == pytest.approx(305.0)
    assert line.rate() == "0.03 steps/s"
    clock.now += 1000
    assert line.seconds_left() == 0


def test_without_a_terminal_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    with ProgressLine("title", 0, 6, "steps") as line:
        for done, note in ((1, "loss 2"), (2, None), (3, None), (4, "loss 1"), (6, None)):
            clock.now += 8
            line.update(done, note)
    assert capsys.readouterr().out.splitlines() == [
        "2026-11-29 08:00:00 title: steps 2/6, 0.12 steps/s, 0:00:32 left, loss 2",
        "2026-11-29 08:00:00 title: steps 4/6, 0.12 steps/s, 0:00:16 left, loss 1",
        "2026-11-29 08:00:00 title: steps 6/6, 0.15 steps/s, 0:00:00 left, loss 1",
    ]


def test_the_line_of_a_command_with_a_result_goes_aside_if_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock(monkeypatch)
    for seconds in (1, 8):
        with ProgressLine(f"{seconds} s each", 0, 3, "images", aside=True) as line:
            for done in (1, 2, 3):
                clock.now += seconds
                line.update(done)
    output = capsys.readouterr()
    assert output.out == ""
    assert [line.split(",")[0] for line in output.err.splitlines()] == [
        "2026-11-29 08:00:00 8 s each: images 2/3", "2026-11-29 08:00:00 8 s each: images 3/3",
    ]  # fmt: skip


def test_a_line_that_stays_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    ProgressLine("title", 0, 3, "steps").print("a name\n\x1b[31m")
    assert capsys.readouterr().out.endswith(" title: a name\\n\\x1b[31m\n")


@pytest.mark.parametrize(("seconds", "text"), [
    (None, "-:--:--"), (0.4, "0:00:00"), (59.6, "0:01:00"), (97439.0, "27:03:59"),
])  # fmt: skip
def test_a_clock_counts_hours(seconds: float | None, text: str) -> None:
    assert progress.clock(seconds) == text
