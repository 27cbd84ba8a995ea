"""Names of files that somebody wrote down: manifests, lock files and file lists may not lead out of their folder."""

import os
from collections.abc import Iterable
from pathlib import Path


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
