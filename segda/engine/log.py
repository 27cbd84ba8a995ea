"""What a training stage tells: `log.jsonl` for machines, one live line for people."""

import contextlib
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from segda.errors import ArtefactError


class Log:
    """The log of one stage: a JSON object a line in `log.jsonl`, and a live line with rate and time left."""

    def __init__(self, folder: Path, title: str, start: int, steps: int, *, show: bool) -> None:
        """Open the log; lines of steps that a restart makes again are dropped first.

        Args:
            folder: the stage's folder.
            title: what the live line is headed with.
            start: the first step that will be made.
            steps: the last step's number plus one.
            show: whether this process writes and shows anything.

        Raises:
            ArtefactError: the log cannot be written; an earlier one is untouched.
        """
        self.show = show
        self.steps = steps
        self.start = start
        self.began = time.monotonic()
        self.last_plain = self.began
        self.title = title
        self.console = Console()
        self.file = None
        self.progress = None
        if not show:
            return
        self.path = folder / "log.jsonl"
        temporary = folder / ".log.jsonl.partial"
        try:
            temporary.write_text("".join(_lines_before(self.path, start)), encoding="utf-8")
            os.replace(temporary, self.path)
            self.file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _unwritable(self.path, error) from error
        if self.console.is_terminal:
            self.progress = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(), TextColumn("{task.fields[losses]}"), console=self.console,
            )
            self.task = self.progress.add_task(title, total=steps, completed=start, rate="", losses="")

    def __enter__(self) -> "Log":
        if self.progress:
            self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress:
            self.progress.stop()
        if self.file:
            # Every line was flushed when it was written; what is left is a line that the disk has refused already.
            with contextlib.suppress(OSError):
                self.file.close()

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Append one line and renew the live line; `step` is the number of steps made so far.

        Raises:
            ArtefactError: the line cannot be written.
        """
        if not self.show or self.file is None:
            return
        seconds = time.monotonic() - self.began
        try:
            self.file.write(json.dumps({"step": step, "seconds": round(seconds, 3), **values}) + "\n")
            self.file.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error
        made = max(step - self.start, 1)
        rate = f"{made / seconds:.2f} steps/s" if seconds > 0 else ""
        losses = " ".join(f"{name.split('.', 1)[-1]} {value:.3g}" for name, value in values["losses"].items())
        if self.progress:
            self.progress.update(self.task, completed=step, rate=rate, losses=losses[:60])
        elif time.monotonic() - self.last_plain > 15 or step == self.steps:
            left = seconds / made * (self.steps - step)
            self.last_plain = time.monotonic()
            print(f"{self.title}: step {step}/{self.steps}, {rate}, {left:.0f} s left, {losses}", flush=True)


def _unwritable(path: Path, error: OSError) -> ArtefactError:
    return ArtefactError(
        f"{path}: cannot be written ({error.strerror or error}); free space or mend the folder, then run the same "
        "command again: it goes on from the last checkpoint"
    )


def _lines_before(path: Path, start: int) -> list[str]:
    """The whole lines of an earlier log up to step `start`; a line cut off by a crash is dropped."""
    if not path.is_file():
        return []
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            if json.loads(line)["step"] <= start:
                kept.append(line)
        except (ValueError, KeyError):
            continue
    return kept
