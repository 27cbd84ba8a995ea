"""Free disk space, and readable sizes."""

import shutil
from pathlib import Path


def free_space(root: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet."""
    folder = root.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def readable_size(count: float) -> str:
    """A number of bytes, such as `1.4 GiB`."""
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1000:
            return f"{count:.2g} {unit}" if count < 10 else f"{count:.0f} {unit}"
    return f"{count / 1024:.1f} TiB"
