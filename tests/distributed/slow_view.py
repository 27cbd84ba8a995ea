"""Run a command on a process whose file system shows what others wrote late; started by a launcher, for tests.

`slow_view.py SECONDS PATIENCE WORD…`: process 1 does not see what another one has changed in `./runs` since it began
until it has looked for it for `SECONDS`; all processes wait `PATIENCE` seconds for files.
"""

import builtins
import io
import os
import sys
import time
from collections.abc import Callable
from typing import Any

DELAY, PATIENCE = float(sys.argv[1]), float(sys.argv[2])
START = time.time()
RUNS = os.path.join(os.getcwd(), "runs", "")
STAT, SCANDIR, LISTDIR, OPEN = os.stat, os.scandir, os.listdir, io.open
OWN: set[str] = set()
FIRST: dict[str, float] = {}
"""When this process first looked for a path."""


def hidden(path: Any) -> bool:
    """Whether this process does not see a path yet."""
    if not isinstance(path, str | os.PathLike):
        return False
    whole = os.path.abspath(os.fspath(path))
    if not whole.startswith(RUNS) or whole in OWN:
        return False
    try:
        changed = STAT(whole).st_mtime
    except OSError:
        return False
    return changed >= START and time.time() - FIRST.setdefault(whole, time.time()) < DELAY


def late(path: Any) -> None:
    if hidden(path):
        raise FileNotFoundError(2, "No such file or directory", os.fspath(path))


def watched(function: Callable[..., Any]) -> Callable[..., Any]:
    def look(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        late(path)
        return function(path, *arguments, **options)

    return look


def opened(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
    if set(mode) & set("wax+") and isinstance(path, str | os.PathLike):
        OWN.add(os.path.abspath(os.fspath(path)))
    else:
        late(path)
    return OPEN(path, mode, *arguments, **options)


def named(function: Callable[..., Any]) -> Callable[..., Any]:
    """What this process gives a name to, it sees."""

    def rename(source: Any, target: Any, *arguments: Any, **options: Any) -> Any:
        OWN.add(os.path.abspath(os.fspath(target)))
        return function(source, target, *arguments, **options)

    return rename


class Scanned:
    """What `os.scandir` gives, without what is hidden."""

    def __init__(self, path: Any = ".") -> None:
        late(path)
        self._entries = SCANDIR(path)

    def __iter__(self) -> "Scanned":
        return self

    def __next__(self) -> os.DirEntry[str]:
        entry = next(self._entries)
        while hidden(entry.path):
            entry = next(self._entries)
        return entry

    def __enter__(self) -> "Scanned":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries.close()


def listed(path: Any = ".") -> list[str]:
    late(path)
    return [name for name in LISTDIR(path) if not hidden(os.path.join(path, name))]


if os.environ["RANK"] == "1":
    os.stat, os.scandir, os.listdir = watched(STAT), Scanned, listed  # type: ignore[assignment]
    builtins.open = io.open = opened  # type: ignore[assignment]
    os.replace, os.rename, os.link = named(os.replace), named(os.rename), named(os.link)

from pipelines.__main__ import main  # noqa: E402
from pipelines.running import execution  # noqa: E402
from segda.engine import session  # noqa: E402

session.FILE_VISIBILITY_SECONDS = execution.SIGHT = PATIENCE
code = main(sys.argv[3:])
if os.environ["RANK"] == "1":
    print(f"process 1 had to wait for {len(FIRST)} files", flush=True)
sys.exit(code)
