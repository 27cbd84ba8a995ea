"""Files that appear whole or not at all, whatever ends the process: the one place where results are written."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from segda.errors import ArtefactError


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file under a temporary name and rename it, so that the old content or the new is there, never a part.

    Args:
        path: its folder is made when it is missing.
        content: all of it.
        durable: wait until the disk has it, so that a loss of power leaves no empty file; not worth its time for the
            many files of an export, which are counted and checked before it ends.

    Raises:
        ArtefactError: the disk is full or the folder not writable; nothing half-written stays behind.
    """

    def make(temporary: Path) -> None:
        temporary.write_bytes(content)
        if durable:
            flush(temporary)

    _publish(path, make)
    if durable:
        # The content is there already: a file system whose folders cannot be flushed loses no more than the name.
        with suppress(OSError):
            flush(path.parent)


def link_whole(origin: Path, path: Path, *, hard_link: bool) -> None:
    """Give `path` the bytes of `origin`: by a hard link where asked for and possible, else by a copy.

    Raises:
        ArtefactError: as `write_whole`.
    """

    def make(temporary: Path) -> None:
        temporary.unlink(missing_ok=True)
        if hard_link:
            # Another file system, or one without links: a copy serves as well.
            with suppress(OSError):
                os.link(origin.resolve(), temporary)
                return
        shutil.copyfile(origin, temporary)

    _publish(path, make)


def digest(*parts: bytes | memoryview) -> str:
    """SHA-256 of some bytes after one another: 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file's content: 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            whole.update(block)
    return whole.hexdigest()


def is_there(path: Path) -> bool:
    """Whether a file is written. An empty one is not: a machine that loses power may leave a name without content."""
    return path.is_file() and path.stat().st_size > 0


def flush(path: Path) -> None:
    """Wait until the disk has what was written to a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(path: Path, make: Callable[[Path], object]) -> None:
    # The temporary name is always the same, so a stopped writer's leftover is overwritten, not left lying.
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
        raise unwritable(path, error, "what is there is kept") from error


def unwritable(path: Path, error: OSError, kept: str) -> ArtefactError:
    """The error of a file or folder that cannot be written.

    Args:
        path: of the file or folder.
        error: what the system says.
        kept: what is not lost when the same command is run again.
    """
    return ArtefactError(
        f"{path}: cannot be written ({error.strerror or error}); free space or repair the folder, then run the same "
        f"command again: {kept}"
    )


def is_below(name: object) -> bool:
    """Whether a name means a file or folder below the one that it is about, as far as its text tells.

    >>> [is_below(name) for name in ("a/b.png", "../b.png", "/b.png", "a/../b.png", "", 3)]
    [True, False, False, False, False, False]
    """
    if not isinstance(name, str) or not name or "\0" in name or name.startswith("/"):
        return False
    return ".." not in name.split("/")


def is_plain(name: object) -> bool:
    """Whether a name means something that lies directly in the folder that it is about."""
    return is_below(name) and "/" not in str(name) and name != "."


def leading_out(root: Path, names: Iterable[str]) -> str | None:
    """The first of some names below `root` that leads out of it, by its text or through a link; `None` if none does."""
    home = os.path.realpath(root)
    folders: dict[str, str] = {}
    for name in names:
        if not is_below(name):
            return name
        folder, _, last = name.rpartition("/")
        if folder not in folders:
            folders[folder] = os.path.realpath(os.path.join(home, folder))
        place = os.path.join(folders[folder], last)
        if os.path.islink(place):
            place = os.path.realpath(place)
        if not place.startswith(home.rstrip("/") + "/") and place != home:
            return name
    return None
