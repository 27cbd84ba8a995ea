"""Files that appear whole or not at all, whatever ends the process."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from segda.errors import ArtefactError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it.

    Raises:
        ArtefactError: the disk is full or the folder not writable; nothing half-written stays behind.
    """
    _published(path, lambda temporary: temporary.write_bytes(content))


def link_whole(origin: Path, path: Path, *, hard_link: bool) -> None:
    """Give `path` the bytes of `origin`: by a hard link where asked for and possible, else by a copy.

    Raises:
        ArtefactError: as `write_whole`.
    """

    def make(temporary: Path) -> None:
        temporary.unlink(missing_ok=True)
        if hard_link:
            try:
                os.link(origin.resolve(), temporary)
                return
            except OSError:
                pass  # another file system, or one without links: a copy serves as well
        shutil.copyfile(origin, temporary)

    _published(path, make)


def is_there(path: Path) -> bool:
    """Whether a file is written. An empty one is not: a machine that loses power may leave a name without content."""
    return path.is_file() and path.stat().st_size > 0


def _published(path: Path, make: Callable[[Path], object]) -> None:
    # The temporary name is always the same, so a killed export's leftover is overwritten, not left lying.
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make(temporary)
        os.replace(temporary, path)
        # Two names of one file are no news to rename, which then leaves both.
        temporary.unlink(missing_ok=True)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ArtefactError(
            f"{path}: cannot be written ({error.strerror or error}); what is there stays: free space, then run again"
        ) from error
