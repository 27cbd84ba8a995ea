"""Files of generated data, each there whole or not at all."""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from segda.errors import DataError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it.

    Args:
        path: its folder is made when it is missing.
        content: all of it.

    Raises:
        DataError: the disk is full or the folder not writable; nothing half-written stays behind.
    """
    # The temporary name is always the same, so a stopped writer's leftover is overwritten, not left lying.
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{path}: cannot be written ({error.strerror or error}); free space or mend the folder, then run again: "
            "what is there is kept"
        ) from error


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Named arrays as an `.npz` file whose bytes depend on the arrays alone.

    `numpy.savez` notes the time of writing, so that no two files of it are equal.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), array.getvalue())
    return buffer.getvalue()
