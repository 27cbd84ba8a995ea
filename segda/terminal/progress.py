"""The progress line of a stage: how far it is, how fast, how much time is left."""

import time
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from segda.terminal.escape import escape

PLAIN_LINE_SECONDS = 15.0
"""Seconds between plain lines, where the output is no terminal."""

BAR = 12
"""Width of the bar, in characters."""


class ProgressLine:
    """A line that renews itself in a terminal; elsewhere a plain line now and then, and one at the end."""

    def __init__(self, title: str, start: int, total: int, unit: str, *, show: bool = True) -> None:
        """Show nothing yet.

        `start` of `total` units, such as "steps" or "images", were done before; nothing is shown without `show`.
        """
        self.title, self.start, self.total, self.unit, self.show = escape(title), start, total, unit, show
        self.done, self.note = start, ""
        self.began = self.last = self.last_plain = time.monotonic()
        console = Console()
        self.live = Live(self, console=console) if show and console.is_terminal else None

    def __enter__(self) -> "ProgressLine":
        if self.live:
            self.live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def update(self, done: int, note: str | None = None) -> None:
        """Say that `done` of the total are done; a `note` stands at the end of the line until there is another one."""
        self.done, self.last = done, time.monotonic()
        self.note = self.note if note is None else escape(note)
        if self.show and not self.live and (self.last - self.last_plain > PLAIN_LINE_SECONDS or done == self.total):
            self.last_plain = self.last
            seconds = self.seconds_left() or 0
            line = f"{self.title}: {self.unit} {done}/{self.total}, {self.rate()}, {seconds:.0f} s left"
            print(f"{line}, {self.note}" if self.note else line, flush=True)

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
        seconds = self.seconds_left()
        hours, rest = divmod(round(seconds or 0), 3600)
        left = "-:--:--" if seconds is None else f"{hours}:{rest // 60:02}:{rest % 60:02}"
        title, rate, note = Text(self.title), Text(self.rate()), Text(self.note)
        numbers = [Text(f"{self.done}/{self.total}"), Text(left)]
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
        if self.live:
            self.live.console.print(f"{self.title}: {text}", markup=False, highlight=False)
        else:
            print(f"{self.title}: {text}", flush=True)
