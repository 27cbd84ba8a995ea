"""What a training stage tells: `log.jsonl` for machines, one live line for people."""

import contextlib
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from segda.engine.live_line import LiveLine
from segda.errors import ArtefactError
from segda.files import write_whole


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
        self.began = time.monotonic()
        self.line = LiveLine(title, start, steps, "steps", show=show)
        self.file = None
        if not show:
            return
        self.path = folder / "log.jsonl"
        write_whole(self.path, "".join(_lines_before(self.path, start)).encode())
        try:
            self.file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def __enter__(self) -> "Log":
        self.line.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.line.__exit__(kind, error, trace)
        if self.file:
            # Every line was flushed when it was written; what is left is a line that the disk has refused already.
            with contextlib.suppress(OSError):
                self.file.close()

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Append one line and renew the live line; `step` is the number of steps made so far.

        Raises:
            ArtefactError: the line cannot be written.
        """
        if self.file is None:
            return
        seconds = time.monotonic() - self.began
        try:
            self.file.write(json.dumps({"step": step, "seconds": round(seconds, 3), **values}) + "\n")
            self.file.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self.line.update(step, ", ".join(f"{_short(name)} {value:.3g}" for name, value in values["losses"].items()))


def _short(name: str) -> str:
    """A loss's name for the live line: without its player, unless that is the discriminator."""
    player, _, term = name.partition(".")
    return f"{term} (D)" if player == "discriminator" else term


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
