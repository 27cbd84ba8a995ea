"""Which configs have passed every check, so that a plan need not load torch to make the same checks again.

The fact is an empty file in the user's cache, called by a hash of all that the checks go by: the merged config, the
folder of data sets, the source files of segda and the versions of Python and of the packages that build networks. What
stands in the file is never read. Only success is kept, a config that names code of a plugin is always checked, and
where the folder cannot be used every config is.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import segda
from segda.config import loading as configs
from segda.config import lookup

PACKAGES = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "kornia", "pydantic", "pyarrow")
FOLDER_VARIABLE = "SEGDA_CHECKED"
KEPT = 1000
"""Files in the folder; when there are more, all are removed, for they cost no more than a check each."""


def folder() -> Path | None:
    """Where the files lie: `SEGDA_CHECKED`, else the user's cache; `None` for a user without one."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    cache = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return Path(cache, "segda", "checked") if os.path.isabs(cache) else None


def cache_key(raw: Mapping[str, Any]) -> str | None:
    """The name of a config, and of all else that its checks go by; `None` where it is checked each time.

    Args:
        raw: the merged config.
    """
    if lookup.plugins_allowed():
        return None
    try:
        sources = list(_source_files())
    except OSError:  # somebody works on them
        return None
    seen = [raw, str(configs.data_root()), sys.version, [_version(name) for name in PACKAGES], sources]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def has_passed(mark: str | None) -> bool:
    """Whether the config of this mark has passed."""
    place = folder()
    return mark is not None and place is not None and os.path.isfile(place / mark)


def remember(mark: str | None) -> None:
    """Remember that the config of this mark has passed; where that cannot be written, it is checked again."""
    place = folder()
    if mark is None or place is None:
        return
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True)
        known = os.listdir(place)
        for name in known if len(known) >= KEPT else ():
            (place / name).unlink(missing_ok=True)
        (place / mark).touch()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _source_files() -> Iterator[tuple[str, int, int]]:
    """Path, size and time of each file of segda's code, in an order that is always the same."""
    home = Path(segda.__file__).parent.parent
    for top in ("pipelines", "segda"):
        for parent, folders, files in os.walk(home / top):
            folders.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    found = os.lstat(os.path.join(parent, name))
                    yield os.path.join(parent, name), found.st_size, found.st_mtime_ns
