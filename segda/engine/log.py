"""The log of a training: `log.jsonl` for machines, one progress line for people."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from segda.engine.health import Finding, HealthMonitor, Limits
from segda.files import unwritable, write_whole
from segda.terminal.progress import ProgressLine

NOTABLE_WAIT = 0.05
"""The share of time spent waiting for data from which on the progress line shows it."""


class Log:
    """A JSON object a line in `log.jsonl`, and a progress line with rate and time left.

    Attributes:
        progress: the progress line.
        monitor: what is wrong, as far as the log shows it.
    """

    def __init__(self, folder: Path, title: str, start: int, steps: int, *, show: bool, limits: Limits) -> None:
        """Open the log after `start` of `steps` steps; lines of steps that a restart makes again are dropped first.

        Without `show`, this process writes and prints nothing. `title` heads the progress line.

        Raises:
            ArtefactError: the log cannot be written; an earlier one is untouched.
        """
        self.began = time.monotonic()
        self.progress = ProgressLine(title, start, steps, "steps", show=show, folder=folder)
        self.monitor = HealthMonitor(limits)
        self.file = None
        if not show:
            return
        self.path = folder / "log.jsonl"
        lines = _lines_before(self.path, start)
        write_whole(self.path, "".join(lines).encode())
        self.monitor = HealthMonitor(limits, map(json.loads, lines))
        try:
            self.file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise unwritable(self.path, error, "it goes on from the last checkpoint") from error

    def __enter__(self) -> "Log":
        self.progress.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.progress.__exit__(*error)
        if self.file:
            # Every line was flushed when it was written; what is left is a line that the disk has refused already.
            with contextlib.suppress(OSError):
                self.file.close()

    def write(self, step: int, values: dict[str, Any], waiting: float = 0.0) -> list[Finding]:
        """Append one line and update the progress line; findings that begin or end are printed on lines of their own.

        `waiting` is the share of the time since the last line that was spent waiting for data, in `[0, 1]`.

        Returns:
            The findings that begin.

        Raises:
            ArtefactError: the line cannot be written.
        """
        if self.file is None:
            return []
        begun, ended = self.monitor.read({"step": step, **values})
        health = {"begun": [finding.to_json() for finding in begun], "ended": [finding.to_json() for finding in ended]}
        self._append({"step": step, "waiting": waiting, **values, **({"health": health} if begun or ended else {})})
        for finding in begun:
            self.progress.print(f"step {step}: {finding.what} (since step {finding.since})")
        for finding in ended:
            self.progress.print(f"step {step}: over since this step: {finding.what}")
        lasting = sum(finding.until is None for finding in self.monitor.findings)
        losses = ", ".join(f"{_short(name)} {value:.3g}" for name, value in values["losses"].items())
        waits = f"waiting for data {waiting:.0%}" if waiting >= NOTABLE_WAIT else ""
        note = ", ".join(filter(None, [f"{lasting} in trouble" if lasting else "", waits, losses]))
        self.progress.update(step, note)
        return begun

    def write_fatal(self, step: int, finding: Finding) -> None:
        """Append the line of a step that cannot be used: nothing but what is wrong with it.

        Raises:
            ArtefactError: the line cannot be written.
        """
        if self.file is not None:
            self._append({"step": step, "health": {"begun": [finding.to_json()], "ended": []}})

    def _append(self, values: dict[str, Any]) -> None:
        assert self.file is not None
        seconds = round(time.monotonic() - self.began, 3)
        try:
            self.file.write(json.dumps({"step": values["step"], "seconds": seconds, **values}) + "\n")
            self.file.flush()
        except OSError as error:
            raise unwritable(self.path, error, "it goes on from the last checkpoint") from error


def _short(name: str) -> str:
    """A loss's name for the progress line: without its player, unless that is the discriminator."""
    player, _, term = name.partition(".")
    return f"{term} (D)" if player == "discriminator" else term


def _lines_before(path: Path, start: int) -> list[str]:
    """The whole lines of an earlier log up to step `start`; a line cut off by a crash is dropped."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            if json.loads(line)["step"] <= start:
                lines.append(line)
    return lines
