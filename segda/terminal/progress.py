"""The progress line of a stage: how far it is, how fast, how much time is left."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from segda.terminal.escape import escape

PLAIN_LINE_SECONDS = 15.0
"""Seconds between plain lines, where the output is no terminal."""


class ProgressLine:
    """A line that renews itself in a terminal; elsewhere a plain line now and then, and one at the end."""

    def __init__(self, title: str, start: int, total: int, unit: str, *, show: bool = True) -> None:
        """Show nothing yet.

        `start` of `total` units, such as "steps" or "images", were done before; nothing is shown without `show`.
        """
        self.title, self.start, self.total, self.unit, self.show = escape(title), start, total, unit, show
        self.began = self.last_plain = time.monotonic()
        self.progress: Progress | None = None
        console = Console()
        if show and console.is_terminal:
            self.progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}", markup=False),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=console,
            )
            self.task = self.progress.add_task(self.title, total=total, completed=start, rate="", note="")

    def __enter__(self) -> "ProgressLine":
        if self.progress:
            self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress:
            self.progress.stop()

    def update(self, done: int, note: str = "") -> None:
        """Show that `done` of the total are done; `note` is shown at the end of the line."""
        if not self.show:
            return
        seconds = max(time.monotonic() - self.began, 1e-9)
        made = max(done - self.start, 1)
        rate, note = f"{made / seconds:.2f} {self.unit}/s", escape(note)
        if self.progress:
            self.progress.update(self.task, completed=done, rate=rate, note=note[:60])
        elif time.monotonic() - self.last_plain > PLAIN_LINE_SECONDS or done == self.total:
            self.last_plain = time.monotonic()
            left = seconds / made * (self.total - done)
            line = f"{self.title}: {self.unit} {done}/{self.total}, {rate}, {left:.0f} s left"
            print(f"{line}, {note}" if note else line, flush=True)

    def print(self, text: str) -> None:
        """Print a line that stays, above the progress line."""
        if not self.show:
            return
        if self.progress:
            self.progress.console.print(f"{self.title}: {text}", markup=False, highlight=False)
        else:
            print(f"{self.title}: {text}", flush=True)
