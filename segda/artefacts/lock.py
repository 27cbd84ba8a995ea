"""One process at a time works in a folder: a lock that ends with its process, and a note that says who holds it.

The lock is filelock's: the system's on a file (`flock`, on Windows `msvcrt.locking`), or a file that names host and
process on a file system without `flock`. The note next to it is for people: host, process, since when, and the command.
"""

import errno
import json
import os
import shlex
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segda.errors import ArtefactError

if TYPE_CHECKING:
    from filelock import BaseFileLock

PAUSE = 0.5
"""Seconds between two attempts to take a lock that another process holds."""
RELEASING = 0.1
"""Seconds of one attempt: its holder may be about to release the lock."""
NO_FLOCK = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class FolderLock:
    """The lock on one folder, held from `take` or `with` until `release`, or the end of this object or its process."""

    def __init__(self, path: Path, folder: Path, wait: bool = False) -> None:
        """Nothing is locked yet.

        The lock's file is `path`, whose own folder is made where it is missing; messages name the locked `folder`. With
        `wait`, another holder is waited for rather than refused.
        """
        self.path, self.folder, self.wait = path, folder, wait
        self._note = path.with_name(f"{path.name}.json")
        self._soft = path.with_name(f"{path.name}.pid")
        self._lock: BaseFileLock | None = None

    def __enter__(self) -> "FolderLock":
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self) -> None:
        """Take the lock.

        Raises:
            ArtefactError: another process holds it and is not to be waited for, or its file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArtefactError(
                f"{self.path.parent}: cannot be made ({error.strerror}); choose another --runs"
            ) from error
        waiting = False
        while not self._try():
            holder = self._holder()
            if not self.wait:
                remedy = f"delete {self._soft} if that process has ended" if self._soft.exists() else "stop it"
                raise ArtefactError(f"{self.folder}: another process works in it ({holder}); add --wait, or {remedy}")
            if not waiting:
                print(f"{self.folder}: waiting for another process ({holder})", flush=True)
            waiting = True
            time.sleep(PAUSE)
        _write_note(self._note)

    def release(self) -> None:
        """Release the lock, if it is held; none of its files is left."""
        if self._lock is not None:
            # The files before the lock: a process that takes it in between makes new ones.
            for file in (self._note, self.path):
                with suppress(OSError):
                    file.unlink()
            self._lock.release()
            self._lock = None

    def is_held(self) -> bool:
        """Whether another process has the lock, as far as its note says; one of this machine must be alive."""
        note = self._read_note()
        if note.get("host") != socket.gethostname():
            return bool(note)
        try:
            os.kill(int(note["process"]), 0)
        except (ProcessLookupError, ValueError, TypeError, KeyError, OverflowError):
            return False
        except PermissionError:  # it is another user's
            pass
        return True

    def _try(self) -> bool:
        """Whether the lock is taken now.

        Raises:
            ArtefactError: its file cannot be written.
        """
        from filelock import FileLock, SoftFileLock, Timeout

        lock: BaseFileLock
        try:
            try:
                lock = FileLock(self.path, timeout=RELEASING, thread_local=False, fallback_to_soft=False)
                lock.acquire()
            except OSError as error:
                if error.errno not in NO_FLOCK:
                    raise
                lock = SoftFileLock(self._soft, timeout=RELEASING, thread_local=False)
                lock.acquire()
        except Timeout:
            return False
        except OSError as error:
            raise ArtefactError(
                f"{self.path}: cannot be written ({error.strerror or error}); free space, change the folder's "
                "permissions, or choose another --runs"
            ) from error
        self._lock = lock
        return True

    def _holder(self) -> str:
        """Who holds the lock, as its note says."""
        note = self._read_note()
        try:
            return (
                f"process {note['process']} on {note['host']} since {note['since']}: "
                f"{' '.join(str(note['command']).split())}"
            )
        except KeyError:
            return "it left no note"

    def _read_note(self) -> dict[str, Any]:
        """What the holder has written; empty where nobody has, or it is damaged."""
        try:
            note = json.loads(self._note.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return note if isinstance(note, dict) else {}


def _write_note(path: Path) -> None:
    """Say who holds the lock; on a full disk the lock holds without."""
    note = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    with suppress(OSError):
        path.write_text(json.dumps(note))
