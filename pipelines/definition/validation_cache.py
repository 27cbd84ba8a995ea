"""Which configs have passed every check, so that a plan need not load torch to repeat the same checks.

A config that has passed is an empty file in the user's cache, named by a hash of all that the checks depend on: the
merged config, the folder of data sets, the source files of segda, and the versions of Python and of the packages that
build networks. The file's content is never read. Failures are not remembered, a config that names code of a plugin is
always checked, and so is every config if the folder cannot be used.
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
MAX_FILES = 1000
"""Files in the folder; beyond that all are removed, at the cost of one check each."""


def folder() -> Path | None:
    """The cache's folder: `SEGDA_CHECKED`, else the user's cache; `None` for a user without one."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    cache = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return Path(cache, "segda", "checked") if os.path.isabs(cache) else None


def cache_key(raw: Mapping[str, Any]) -> str | None:
    """The hash of a merged config and of all else that its checks depend on; `None` if it must be checked each time."""
    if lookup.plugins_allowed():
        return None
    try:
        sources = list(_source_files())
    except OSError:  # they are being edited
        return None
    content = [raw, str(configs.data_root()), sys.version, [installed_version(name) for name in PACKAGES], sources]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def has_passed(key: str | None) -> bool:
    """Whether the config with this cache key has passed."""
    cache = folder()
    return key is not None and cache is not None and os.path.isfile(cache / key)


def remember(key: str | None) -> None:
    """Remember that the config with this cache key has passed; if that cannot be written, it is checked again."""
    cache = folder()
    if key is None or cache is None:
        return
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        files = os.listdir(cache)
        for name in files if len(files) >= MAX_FILES else ():
            (cache / name).unlink(missing_ok=True)
        (cache / key).touch()


def installed_version(package: str) -> str | None:
    """A package's version; `None` where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _source_files() -> Iterator[tuple[str, int, int]]:
    """Path, size and time of each file of segda's code, always in the same order."""
    home = Path(segda.__file__).parent.parent
    for top in ("pipelines", "segda"):
        for parent, folders, files in os.walk(home / top):
            folders.sort()
            for name in sorted(files):
                if name.endswith(".py"):
                    file = os.path.join(parent, name)
                    status = os.lstat(file)
                    yield file, status.st_size, status.st_mtime_ns
