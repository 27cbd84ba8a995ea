"""Run a command on a process whose file system shows what others wrote late; started by a launcher, for tests.

`slow_view.py SECONDS PATIENCE WORD…`: process 1 does not see a file that another one has changed in `./runs` until
`SECONDS` after it first looks for it; all processes wait `PATIENCE` seconds for files.
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
    if os.path.basename(whole).startswith(".shared-"):
        return False  # by which a run finds out that the folder is shared, and it is
    if not whole.startswith(RUNS) or whole in OWN:
        return False
    try:
        changed = STAT(whole).st_mtime
    except OSError:
        return False
    return changed >= START and time.time() - FIRST.setdefault(whole, time.time()) < DELAY


def check(path: Any) -> None:
    if hidden(path):
        raise FileNotFoundError(2, "No such file or directory", os.fspath(path))


def delayed(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        check(path)
        return function(path, *arguments, **options)

    return call


def delayed_open(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
    if set(mode) & set("wax+") and isinstance(path, str | os.PathLike):
        OWN.add(os.path.abspath(os.fspath(path)))
    else:
        check(path)
    return OPEN(path, mode, *arguments, **options)


def naming(function: Callable[..., Any]) -> Callable[..., Any]:
    """This process sees the files that it renames itself."""

    def rename(source: Any, target: Any, *arguments: Any, **options: Any) -> Any:
        OWN.add(os.path.abspath(os.fspath(target)))
        return function(source, target, *arguments, **options)

    return rename


class DelayedScandir:
    """`os.scandir`, without the hidden files."""

    def __init__(self, path: Any = ".") -> None:
        check(path)
        self._entries = SCANDIR(path)

    def __iter__(self) -> "DelayedScandir":
        return self

    def __next__(self) -> os.DirEntry[str]:
        entry = next(self._entries)
        while hidden(entry.path):
            entry = next(self._entries)
        return entry

    def __enter__(self) -> "DelayedScandir":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries.close()


def delayed_listdir(path: Any = ".") -> list[str]:
    check(path)
    return [name for name in LISTDIR(path) if not hidden(os.path.join(path, name))]


if os.environ["RANK"] == "1":
    os.stat, os.scandir, os.listdir = delayed(STAT), DelayedScandir, delayed_listdir  # type: ignore[assignment]
    builtins.open = io.open = delayed_open  # type: ignore[assignment]
    os.replace, os.rename, os.link = naming(os.replace), naming(os.rename), naming(os.link)

from pipelines.running import execution  # noqa: E402
from segda.engine import session  # noqa: E402
from tests.float64 import main  # noqa: E402

session.FILE_VISIBILITY_SECONDS = execution.FILE_VISIBILITY_SECONDS = PATIENCE
sys.argv[1:] = sys.argv[3:]
code = main()
if os.environ["RANK"] == "1":
    print(f"process 1 had to wait for {len(FIRST)} files", flush=True)
sys.exit(code)
