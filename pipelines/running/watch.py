"""Runs at work, shown again and again: each stage with its steps, speed, time left and last losses."""

import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from segda.artefacts import manifest as manifests
from segda.artefacts.store import STAGE_FILE, Store
from segda.errors import ArtefactError
from segda.terminal import progress
from segda.terminal.escape import escape
from segda.terminal.progress import clock
from segda.terminal.table import to_lines

COLOURS = {"done": "green", "running": "cyan", "unfinished": "yellow", "damaged": "red"}
TITLES = ("stage", "state", "done", "left", "speed", "")


class Row(NamedTuple):
    """A stage as it is shown: name, state, units done, time, speed, and what its progress line says besides."""

    stage: str
    state: str
    done: str = ""
    time: str = ""
    speed: str = ""
    note: str = ""


def watch(store: Store, runs: Sequence[str], seconds: float) -> None:
    """Show runs every so many seconds until no process works on any of them; a terminal's lines are renewed in place.

    Raises:
        ArtefactError: there is no such run, or its lock file is damaged.
    """
    console = Console()
    with Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live:
        at_work = True
        while at_work:
            working = {run: store.claim_run(run).is_held() for run in runs}
            at_work = any(working.values())
            blocks = {_title(run, working[run]): rows(store, run, working[run]) for run in runs}
            if live is not None:
                live.update(_drawn(blocks), refresh=True)
            else:
                now = time.strftime("%Y-%m-%d %H:%M:%S")
                for title, block in blocks.items():
                    print("\n".join([f"{now} {title}", *to_lines([TITLES, *block], "  "), ""]), flush=True)
            if at_work:
                time.sleep(seconds)


def rows(store: Store, run: str, working: bool) -> list[Row]:
    """The stages of a run as they are now; where it is `working`, the first one that is to be made is at work."""
    shown = []
    for stage, entry in store.read_lock(run)["stages"].items():
        row = _row(store, stage, entry, working)
        working = working and row.state in ("done", "left out", "data missing")
        shown.append(row)
    return shown


def _row(store: Store, stage: str, entry: dict[str, Any], is_next: bool) -> Row:
    if not entry["folder"]:
        return Row(stage, "data missing")
    folder = store.root / entry["folder"]
    if (folder / manifests.FILE_NAME).is_file():
        try:
            seconds = manifests.load(folder).provenance.get("seconds")
        except ArtefactError as error:
            return Row(stage, "damaged", note=str(error))
        return Row(stage, "done", time="" if seconds is None else f"took {clock(seconds)}")
    if entry["state"] == "left out":
        return Row(stage, "left out")
    state = "running" if is_next else "unfinished" if (folder / STAGE_FILE).is_file() else "to do"
    now = progress.read(folder)
    if now is None:
        return Row(stage, state)
    done = f"{now.done}/{now.total}"
    return Row(stage, state, done, clock(now.seconds_left), now.rate, now.note) if is_next else Row(stage, state, done)


def _title(run: str, working: bool) -> str:
    return run if working else f"{run}: no process works on it"


def _drawn(blocks: dict[str, list[Row]]) -> Group:
    """The blocks for a terminal; where it is too low for them, stages that are done are counted, not shown."""
    height = shutil.get_terminal_size().lines
    too_high = sum(len(block) + 3 for block in blocks.values()) > height
    parts: list[Text] = []
    for title, block in blocks.items():
        done = sum(row.state == "done" for row in block)
        parts.append(Text(f"{escape(title)}, {done} of {len(block)} stages done", "bold"))
        for row, line in zip(block, to_lines(block, "  "), strict=True):
            if not (too_high and row.state == "done"):
                parts.append(Text(line, COLOURS.get(row.state, "dim"), no_wrap=True, overflow="ellipsis"))
        parts.append(Text())
    return Group(*parts[:-1])
