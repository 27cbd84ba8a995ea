"""Arrays as the bytes of an `.npz` file."""

import io
import zipfile
from collections.abc import Mapping

import numpy as np


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
