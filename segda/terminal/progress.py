"""The progress line of a stage: how far it is, how fast, how much time is left; and a file of it for others to read."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TypeVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from segda.errors import ArtefactError
from segda.files import write_whole
from segda.terminal.escape import escape

FILE_NAME = "progress.json"
"""In the folder of a stage that is at work."""

WRITTEN_EVERY = 2.0
"""Seconds between two states of the file."""

PLAIN_LINE_SECONDS = 15.0
"""Seconds between plain lines, where the output is no terminal."""

BAR = 12
"""Width of the bar, in characters."""


Item = TypeVar("Item")


class ProgressLine:
    """A line that renews itself in a terminal; elsewhere a plain line now and then, and one at the end."""

    def __init__(
        self, title: str, start: int, total: int, unit: str, *, show: bool = True, aside: bool = False,
        folder: Path | None = None,
    ) -> None:  # fmt: skip
        """Show nothing yet.

        `start` of `total` units, such as "steps" or "images", were done before; nothing is shown without `show`. The
        line of a command whose output is a result goes `aside`: to standard error, and no plain line of it before
        the first that is due. In the `folder` of a stage, a file says the same, for `segda status --watch`.
        """
        self.title, self.start, self.total, self.unit, self.show = escape(title), start, total, unit, show
        self.done, self.note = start, ""
        self.began = self.last = self.last_plain = time.monotonic()
        self.file = folder / FILE_NAME if folder is not None and show else None
        self.last_written = -WRITTEN_EVERY
        self.aside = aside
        console = Console(stderr=aside)
        self.live = Live(self, console=console, transient=aside) if show and console.is_terminal else None

    def __enter__(self) -> "ProgressLine":
        if self.live:
            self.live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()
        if self.file:
            forget(self.file.parent)

    def update(self, done: int, note: str | None = None) -> None:
        """Say that `done` of the total are done; a `note` stands at the end of the line until there is another one."""
        self.done, self.last = done, time.monotonic()
        self.note = self.note if note is None else escape(note)
        if self.file and self.last - self.last_written > WRITTEN_EVERY:
            self.last_written = self.last
            state = Progress(done, self.total, self.rate(), self.seconds_left(), self.note)
            with suppress(ArtefactError):  # `status --watch` then shows the previous one
                write_whole(self.file, json.dumps(state._asdict()).encode(), durable=False)
        is_last = done == self.total and not (self.aside and self.last_plain == self.began)
        if self.show and not self.live and (self.last - self.last_plain > PLAIN_LINE_SECONDS or is_last):
            self.last_plain = self.last
            line = f"{self.title}: {self.unit} {done}/{self.total}, {self.rate()}, {clock(self.seconds_left())} left"
            self._print_plain(f"{line}, {self.note}" if self.note else line)

    def over(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items; each counts as done when the next one is asked for."""
        for item in items:
            yield item
            self.update(self.done + 1)

    def rate(self) -> str:
        """How fast it has gone so far, such as "2.50 steps/s"."""
        return f"{(self.done - self.start) / max(self.last - self.began, 1e-9):.2f} {self.unit}/s"

    def seconds_left(self) -> float | None:
        """How long the rest takes at that rate; `None` before the first unit is done."""
        made = self.done - self.start
        if made <= 0:
            return None
        return max((self.last - self.began) / made * (self.total - self.done) - (time.monotonic() - self.last), 0.0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The line, no wider than the terminal: the note gives way first, then the bar, the rate, and the title."""
        title, rate, note = Text(self.title), Text(self.rate()), Text(self.note)
        numbers = [Text(f"{self.done}/{self.total}"), Text(clock(self.seconds_left()))]
        room = options.max_width - title.cell_len - sum(1 + number.cell_len for number in numbers)
        cells: list[Text | ProgressBar] = [title]
        if room > rate.cell_len:
            numbers.insert(1, rate)
            room -= 1 + rate.cell_len
            if room > BAR:
                cells.append(ProgressBar(self.total, self.done, width=BAR))
                room -= 1 + BAR
                note.truncate(max(room - 1, 0), overflow="ellipsis")
                numbers.append(note)
        title.truncate(title.cell_len + min(room, 0), overflow="ellipsis")
        line = Table.grid(*[Column(no_wrap=True) for _ in (*cells, *numbers)], padding=(0, 1, 0, 0))
        line.add_row(*cells, *numbers)
        yield line

    def print(self, text: str) -> None:
        """Print a line that stays, above the progress line."""
        if not self.show:
            return
        line = f"{self.title}: {escape(text)}"
        if self.live:
            self.live.console.print(line, markup=False, highlight=False)
        else:
            self._print_plain(line)

    def _print_plain(self, line: str) -> None:
        """With the time of day: a log is read hours later."""
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}", file=sys.stderr if self.aside else None, flush=True)


class Progress(NamedTuple):
    """How far a stage at work was: `done` of `total`, how fast, the seconds that the rest takes, losses and so on."""

    done: int
    total: int
    rate: str
    seconds_left: float | None
    note: str


def read(folder: Path) -> Progress | None:
    """How far the stage of a folder is; `None` where it does not say so."""
    file = folder / FILE_NAME
    try:
        done, total, rate, left, note = Progress(**json.loads(file.read_bytes()))
        if left is not None:  # it has gone on since
            left = max(left - max(time.time() - file.stat().st_mtime, 0.0), 0.0)
        return Progress(int(done), int(total), str(rate), left, str(note))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def forget(folder: Path) -> None:
    """Remove what the folder of a stage says about how far it is; a process that was killed leaves it there."""
    with suppress(OSError):
        (folder / FILE_NAME).unlink(missing_ok=True)


def clock(seconds: float | None) -> str:
    """Seconds as hours, minutes and seconds, such as "27:03:59"; `None` as unknown."""
    if seconds is None:
        return "-:--:--"
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
