"""What a training stage tells: `log.jsonl` for machines, one live line for people."""

import contextlib
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from segda.engine.health import DEFAULTS, Finding, HealthMonitor, Limits, kept
from segda.engine.waiting import NOTABLE
from segda.errors import ArtefactError
from segda.files import write_whole
from segda.terminal.progress import ProgressLine


class Log:
    """The log of one stage: a JSON object a line in `log.jsonl`, and a live line with rate and time left.

    Attributes:
        watch: what is wrong, as far as the log shows it.
    """

    def __init__(
        self,
        folder: Path,
        title: str,
        start: int,
        steps: int,
        *,
        show: bool,
        limits: Limits = DEFAULTS,
        roll_backs: int = 0,
    ) -> None:
        """Open the log; lines of steps that a restart makes again are dropped first.

        Args:
            folder: the stage's folder.
            title: what the live line is headed with.
            start: the first step that will be made.
            steps: the last step's number plus one.
            show: whether this process writes and shows anything.
            limits: where trouble begins.
            roll_backs: how often the training was rolled back before it came to `start`.

        Raises:
            ArtefactError: the log cannot be written; an earlier one is untouched.
        """
        self.began = time.monotonic()
        self.line = ProgressLine(title, start, steps, "steps", show=show)
        self.limits = limits
        self.watch = HealthMonitor(limits)
        self.file = None
        if not show:
            return
        self.path = folder / "log.jsonl"
        lines = _lines_before(self.path, start, roll_backs)
        write_whole(self.path, "".join(lines).encode())
        self.watch = HealthMonitor(limits, kept(json.loads(line) for line in lines))
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

    def write(self, step: int, values: dict[str, Any], waiting: float = 0.0) -> list[Finding]:
        """Append one line and renew the live line; troubles that begin or end with it are told on lines of their own.

        Args:
            step: the number of steps made so far.
            values: what the line holds.
            waiting: the share of the time since the last line that was spent waiting for data, in `[0, 1]`.

        Returns:
            The troubles that begin.

        Raises:
            ArtefactError: the line cannot be written.
        """
        if self.file is None:
            return []
        begun, ended = self.watch.see({"step": step, **values})
        health = {"begun": [trouble.to_json() for trouble in begun], "ended": [trouble.to_json() for trouble in ended]}
        self._append({"step": step, "waiting": waiting, **values, **({"health": health} if begun or ended else {})})
        for trouble in begun:
            self.line.tell(f"step {step}: {trouble.what} (since step {trouble.since})")
        for trouble in ended:
            self.line.tell(f"step {step}: over since this step: {trouble.what}")
        going_on = sum(trouble.until is None for trouble in self.watch.troubles)
        losses = ", ".join(f"{_short(name)} {value:.3g}" for name, value in values["losses"].items())
        waits = f"waiting for data {waiting:.0%}" if waiting >= NOTABLE else ""
        self.line.update(step, ", ".join(filter(None, [f"{going_on} in trouble" if going_on else "", waits, losses])))
        return begun

    def bad(self, step: int, trouble: Finding) -> None:
        """Append the line of a step that cannot be used: nothing but what is wrong with it.

        Raises:
            ArtefactError: the line cannot be written.
        """
        if self.file is not None:
            self._append({"step": step, "health": {"begun": [trouble.to_json()], "ended": []}})

    def roll_back(self, noticed: int, to: int, because: str) -> None:
        """Append that the training goes on from step `to`; what was logged since then counts no more.

        Raises:
            ArtefactError: the line cannot be written.
        """
        if self.file is None:
            return
        self._append({"step": to, "roll_back": {"noticed": noticed, "to": to, "because": because}})
        self.line.tell(f"rolled back from step {noticed} to {to}: {because}")
        lines = self.path.read_text(encoding="utf-8").splitlines()
        self.watch = HealthMonitor(self.limits, kept(json.loads(line) for line in lines))

    def _append(self, values: dict[str, Any]) -> None:
        assert self.file is not None
        seconds = round(time.monotonic() - self.began, 3)
        try:
            self.file.write(json.dumps({"step": values["step"], "seconds": seconds, **values}) + "\n")
            self.file.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error


def _short(name: str) -> str:
    """A loss's name for the live line: without its player, unless that is the discriminator."""
    player, _, term = name.partition(".")
    return f"{term} (D)" if player == "discriminator" else term


def _unwritable(path: Path, error: OSError) -> ArtefactError:
    return ArtefactError(
        f"{path}: cannot be written ({error.strerror or error}); free space or mend the folder, then run the same "
        "command again: it goes on from the last checkpoint"
    )


def _lines_before(path: Path, start: int, roll_backs: int) -> list[str]:
    """The whole lines of an earlier log up to step `start`; a line cut off by a crash is dropped.

    Those from before the last one of `roll_backs` stay, whatever their step; later roll backs have not happened yet.
    """
    if not path.is_file():
        return []
    found, done = [], 0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for line in lines:
        try:
            values = json.loads(line)
            step = values["step"]
        except (ValueError, TypeError, KeyError):
            continue
        if "roll_back" in values:
            if done == roll_backs:
                break
            done += 1
        if done < roll_backs or step <= start:
            found.append(line)
    return found
