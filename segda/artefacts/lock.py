"""One process at a time works on a thing: the claim that says so, and who holds it.

The claim is a file that the kernel locks for its holder (`flock`), so it ends with the process, however that ends. What
stands in the file is for people: host, process, since when, and the command. Where a file system knows no locks, what
stands in the file is the claim itself.
"""

import fcntl
import json
import os
import shlex
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from segda.errors import ArtefactError

PAUSE = 0.5
"""Seconds between two looks at a claim that is waited for."""

_held: set[int] = set()


def _close_all() -> None:
    """A forked child, such as one that loads data, may outlive its parent by seconds and must not keep its claims."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_all)


class FolderLock:
    """The claim on one thing, held from `take` or `with` until `release` or the end of the process."""

    def __init__(self, path: Path, thing: Path, wait: bool = False) -> None:
        """Claim nothing yet.

        Args:
            path: the claim's file; its folder is made where it is missing.
            thing: what is claimed, for messages.
            wait: wait for another holder rather than refuse.
        """
        self.path, self.thing, self.wait = path, thing, wait
        self._descriptor: int | None = None

    def __enter__(self) -> "FolderLock":
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self) -> bool:
        """Take the claim; whether another process had to be waited for.

        Raises:
            ArtefactError: another process holds it and it is not to be waited for, or its file cannot be written.
        """
        folder, waited = self.path.parent, False
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArtefactError(f"{folder}: cannot be made ({error.strerror}); choose another --runs") from error
        while True:
            try:
                holder = self._try()
            except OSError as error:
                raise ArtefactError(
                    f"{self.path}: cannot be written ({error.strerror or error}); free space, mend the folder, or "
                    "choose another --runs"
                ) from error
            if holder is None:
                return waited
            who, remedy = holder
            if not self.wait:
                raise ArtefactError(f"{self.thing}: another process works in it ({who}); {remedy}")
            if not waited:
                print(f"{self.thing}: waiting for another process ({who})", flush=True)
            waited = True
            time.sleep(PAUSE)

    def release(self) -> None:
        """Give the claim back; nothing is left of it."""
        if self._descriptor is not None:
            # First the name, then the lock: who comes between opens a new file.
            with suppress(OSError):
                self.path.unlink()
            _held.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self) -> tuple[str, str] | None:
        """Take the claim if it is free; else who holds it, and what a user can do."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return _described(_read(descriptor)), "add --wait, or stop it"
            except OSError:
                return self._try_by_note(descriptor)
            if not self._still_there(descriptor):
                return self._try()
            _write(descriptor)
            self._descriptor, descriptor = descriptor, -1
            _held.add(self._descriptor)
            return None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _still_there(self, descriptor: int) -> bool:
        """Whether the locked file still has its name: the last holder may have removed it in between."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _try_by_note(self, descriptor: int) -> tuple[str, str] | None:
        """The same on a file system without locks: a note of a living process, or of another host, is a claim."""
        note = _read(descriptor)
        if note and note.get("host") != socket.gethostname():
            return _described(note), f"add --wait, or delete {self.path} if that process has ended"
        if note and _lives(note):
            return _described(note), "add --wait, or stop it"
        _write(descriptor)
        time.sleep(PAUSE / 2)  # another process may do the same at the same time: who writes last has it
        if {**_read(descriptor), **_own()} != _read(descriptor) or not self._still_there(descriptor):
            return _described(_read(descriptor)), "add --wait, or stop it"
        self._descriptor = os.dup(descriptor)
        _held.add(self._descriptor)
        return None


def _own() -> dict[str, Any]:
    """What this process leaves in its claims."""
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {"host": socket.gethostname(), "process": os.getpid(), "began": _began(os.getpid()), "command": command}


def _began(process: int) -> str | None:
    """When a process began, in the kernel's own count that no change of the clock moves; `None` where it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _lives(note: dict[str, Any]) -> bool:
    """Whether the process of a note on this host lives, and is not a later one of the same number."""
    try:
        os.kill(int(note["process"]), 0)
    except ProcessLookupError:
        return False
    except (OSError, KeyError, ValueError, TypeError):
        return True
    return _began(int(note["process"])) == note.get("began")


def _write(descriptor: int) -> None:
    """Leave the note; on a full disk the claim holds without."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({**_own(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}).encode(), 0)


def _read(descriptor: int) -> dict[str, Any]:
    """The note in a claim's file; empty where there is none."""
    try:
        note = json.loads(os.pread(descriptor, 65536, 0))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _described(note: dict[str, Any]) -> str:
    if not note:
        return "it left no note"
    return (
        f"process {note.get('process')} on {note.get('host')} since {note.get('since')}: "
        f"{' '.join(str(note.get('command')).split())}"
    )
