"""Free space, and sizes as people read them."""

import shutil
from pathlib import Path


def free_space(root: Path) -> int:
    """Bytes free where a folder lies or will lie."""
    place = root.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def readable_size(count: float) -> str:
    """A number of bytes for people, such as `1.4 GiB`."""
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1000:
            return f"{count:.2g} {unit}" if count < 10 else f"{count:.0f} {unit}"
    return f"{count / 1024:.1f} TiB"
