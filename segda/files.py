"""Write files whole or not at all, whatever ends the process; checksums; and paths that stay below their folder."""

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
        durable: wait until the disk has it, so that a loss of power leaves no empty file; too slow for the many files
            of an export, which are checked before it ends.

    Raises:
        ArtefactError: the disk is full or the folder not writable; nothing half-written stays behind.
    """

    def make(temporary: Path) -> None:
        temporary.write_bytes(content)
        if durable:
            flush(temporary)

    _publish(path, make)
    if durable:
        # The content is on disk already; some file systems cannot flush folders.
        with suppress(OSError):
            flush(path.parent)


def link_whole(origin: Path, path: Path, *, hard_link: bool) -> None:
    """Give `path` the bytes of `origin`: by a hard link where `hard_link` and possible, else by a copy.

    Raises:
        ArtefactError: as `write_whole`.
    """

    def make(temporary: Path) -> None:
        temporary.unlink(missing_ok=True)
        if hard_link:
            # Another file system, or one without links: copy instead.
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
    """Whether a file is there and not empty: a loss of power may leave a name without content."""
    return path.is_file() and path.stat().st_size > 0


def flush(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's names."""
    on_windows = os.name == "nt"  # which flushes only what is open for writing, and no folders
    if on_windows and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if on_windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(path: Path, make: Callable[[Path], object]) -> None:
    # The temporary name is always the same, so that what a stopped writer left is overwritten.
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make(temporary)
        os.replace(temporary, path)
        # Renaming one hard link onto another of the same file does nothing, and leaves both.
        temporary.unlink(missing_ok=True)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise unwritable(path, error, "what is there is kept") from error


def unwritable(path: Path, error: OSError, kept: str) -> ArtefactError:
    """The error of a file or folder that cannot be written; `kept`: what is not lost when the command is run again."""
    return ArtefactError(
        f"{path}: cannot be written ({error.strerror or error}); free space or repair the folder, then run the same "
        f"command again: {kept}"
    )


def is_below(name: object) -> bool:
    """Whether a relative path stays below its folder, by its text alone.

    >>> [is_below(name) for name in ("a/b.png", "../b.png", "/b.png", "a/../b.png", "", 3)]
    [True, False, False, False, False, False]
    """
    if not isinstance(name, str) or not name or "\0" in name or name.startswith("/"):
        return False
    if os.name == "nt" and ("\\" in name or ":" in name):
        return False
    return ".." not in name.split("/")


def is_plain(name: object) -> bool:
    """Whether a name is that of a file or folder directly in its folder."""
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
        path = os.path.join(folders[folder], last)
        if os.path.islink(path):
            path = os.path.realpath(path)
        if not path.startswith(home.rstrip(os.sep) + os.sep) and path != home:
            return name
    return None
