"""Faults on purpose: death, or a disk that refuses, at a chosen write, rename, link or flush; and damaged files."""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from segda.engine.session import Session
from segda.terminal import progress

HARMS = ("kill", "full", "broken")
RENAMES = ("replace", "rename", "link")
EVENTS = ("write", *RENAMES, "fsync")


@contextmanager
def injected(root: Path, number: int = 0, harm: str = "kill", kinds: Sequence[str] = EVENTS) -> Iterator[list[str]]:
    """Count the writes, renames, links and flushes below a folder in this block, and make one of them fail.

    A write that fails has written the first half of its content.

    Args:
        root: the folder.
        number: of the event that fails, from 1; 0 for none.
        harm: SIGKILL (`kill`), a disk that is full from then on (`full`) or fails once (`broken`).
        kinds: the events that count; `step`, too, is one: gradients are collected, optimizers not stepped.

    Yields:
        The events so far, each its kind and its path below `root`.
    """
    events: list[str] = []

    def fails(kind: str, path: Any) -> bool:
        # Files of progress are written by the clock, so that a rerun would have other numbers of events.
        if kind not in kinds or not str(path).startswith(str(root)) or progress.FILE_NAME in str(path):
            return False
        events.append(f"{kind} {str(path).removeprefix(str(root))}")
        return len(events) == number or (harm == "full" and 0 < number < len(events))

    def fail() -> None:
        if harm == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        code = errno.ENOSPC if harm == "full" else errno.EIO
        raise OSError(code, os.strerror(code))

    def counted(kind: str, path_of: Callable[..., Any], owner: Any = os) -> Callable[..., Any]:
        function = getattr(owner, kind)

        def call(*arguments: Any, **options: Any) -> Any:
            if fails(kind, path_of(*arguments)):
                fail()
            return function(*arguments, **options)

        return call

    def opened(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = plain_open(path, mode, *arguments, **options)
        write = getattr(file, "write")  # noqa: B009

        def half_or_whole(content: Any) -> Any:
            if not fails("write", path):
                return write(content)
            write(content[: len(content) // 2])
            file.flush()
            return fail()

        if set(mode) & set("wax+"):
            file.write = half_or_whole
        return file

    plain_open = io.open  # noqa: UP020 the built-in one is replaced
    calls = {kind: counted(kind, lambda source, target, *_: target) for kind in RENAMES}
    calls["fsync"] = counted("fsync", lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}"))
    opens = (mock.patch.object(module, "open", opened) for module in (io, builtins))
    step = mock.patch.object(Session, "step", counted("step", lambda *_: root, Session))
    with mock.patch.multiple(os, **calls), step, next(opens), next(opens):
        yield events


def cut_short(path: Path, random: Random) -> None:
    """Keep a random part of a file's beginning."""
    content = path.read_bytes()
    path.write_bytes(content[: random.randrange(max(1, len(content)))])


def flip(path: Path, random: Random) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)
