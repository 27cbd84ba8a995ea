"""Death, or a disk that refuses, at a chosen one of the moments at which a stage changes its folder."""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HARMS = ("kill", "full", "broken")
"""SIGKILL; a disk that is full from then on; a disk that fails once."""


class Faults:
    """Counts writes to files, renames, links and flushes below a folder, and does harm at one of them.

    A write that is harmed has written the first half of its content.
    """

    def __init__(self, root: Path, fatal: int, harm: str) -> None:
        self.root, self.fatal, self.harm = str(root), fatal, harm
        self.events: list[str] = []

    def strikes(self, what: str, path: Any) -> bool:
        """Note an event; whether it is the one that goes wrong."""
        if not str(path).startswith(self.root):
            return False
        self.events.append(f"{what} {str(path)[len(self.root) :]}")
        return len(self.events) == self.fatal or (self.harm == "full" and 0 < self.fatal < len(self.events))

    def strike(self) -> None:
        if self.harm == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = errno.ENOSPC if self.harm == "full" else errno.EIO
        raise OSError(number, os.strerror(number))


class File:
    """An open file whose writes are counted."""

    def __init__(self, file: Any, path: Any, faults: Faults) -> None:
        self.file, self.path, self.faults = file, path, faults

    def write(self, content: Any) -> int:
        if self.faults.strikes("write", self.path):
            self.file.write(content[: len(content) // 2])
            self.file.flush()
            self.faults.strike()
        return int(self.file.write(content))

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@contextmanager
def injected(root: Path, fatal: int = 0, harm: str = "kill") -> Iterator[Faults]:
    """Count the events below `root` in this block, and do harm at number `fatal`, if that is not 0."""
    faults, originals = Faults(root, fatal, harm), {}

    def counted(what: str, function: Callable[..., Any], place: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if faults.strikes(what, place(*arguments)):
                faults.strike()
            return function(*arguments, **options)

        return call

    def opened(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = originals[io, "open"](path, mode, *arguments, **options)
        writes = set(mode) & set("wax+") and str(path).startswith(faults.root)
        return File(file, path, faults) if writes else file

    def of_descriptor(descriptor: int) -> str:
        return os.readlink(f"/proc/self/fd/{descriptor}")

    for name in ("replace", "rename", "link"):
        originals[os, name] = getattr(os, name)
        setattr(os, name, counted(name, getattr(os, name), lambda source, target, *_: target))
    originals[os, "fsync"] = os.fsync
    setattr(os, "fsync", counted("fsync", os.fsync, of_descriptor))  # noqa: B010
    for module in (io, builtins):
        originals[module, "open"] = module.open
        setattr(module, "open", opened)  # noqa: B010
    try:
        yield faults
    finally:
        for (module, name), original in originals.items():
            setattr(module, name, original)
