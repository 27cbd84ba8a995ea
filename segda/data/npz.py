"""Arrays to and from `.npz` and `.npy` files."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from segda.config.lookup import nearest
from segda.data.archive import check_bytes, read_at_most


def load(file: Path, name: str) -> np.ndarray:
    """The array `name` of an `.npz` file, or the one of a `.npy` file.

    Raises:
        DataError: the array's head claims more than an archive may hold.
        ValueError: no array of that name, or a damaged one; as whatever `numpy` and `zipfile` raise.
    """
    if not zipfile.is_zipfile(file):
        with file.open("rb") as opened:
            return _array(file, opened)
    with zipfile.ZipFile(file) as archive:
        names = [each.removesuffix(".npy") for each in archive.namelist()]
        if name not in names:
            raise ValueError(f"no array {name!r} in it; {nearest(name, names)}")
        with archive.open(archive.infolist()[names.index(name)]) as opened:
            return _array(file, opened)


def _array(file: Path, opened: IO[bytes]) -> np.ndarray:
    """An array in numpy's format, once its head is found to be true."""
    version = np.lib.format.read_magic(opened)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format {version} of numpy; expected 1.0 or 2.0")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, kind = read(opened)
    if kind.hasobject:
        raise ValueError("holds Python objects, which are not read; save numbers")
    check_bytes(file, shape, kind.itemsize)
    wanted = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    content = read_at_most(opened.read, wanted + 1)
    if len(content) != wanted:
        raise ValueError(f"{len(content)} bytes of data, but its head, {'x'.join(map(str, shape))}, says {wanted}")
    return np.frombuffer(content, kind).reshape(shape, order="F" if fortran else "C")


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
