"""Arrays to and from `.npz` and `.npy` files."""

import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class ArrayLabels:
    """Reads the array `name` as integers `[N]`, from `[N]` or `[N, 1]`."""

    name: str

    def __call__(self, file: Path) -> np.ndarray:
        """The labels; errors as in `load`."""
        array = load(file, self.name)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise ValueError(f"labels are {array.dtype} {array.shape}; expected integers (number,)")
        return array


def _array(file: Path, opened: IO[bytes]) -> np.ndarray:
    """An array in numpy's format, after a check of its head."""
    version = np.lib.format.read_magic(opened)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format {version} of numpy; expected 1.0 or 2.0")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, kind = read(opened)
    if kind.hasobject:
        raise ValueError("holds Python objects, which are not read; save numbers")
    check_bytes(file, shape, kind.itemsize)
    size = math.prod(shape) * kind.itemsize
    content = read_at_most(opened.read, size + 1)
    if len(content) != size:
        raise ValueError(f"{len(content)} bytes of data, but its head, {'x'.join(map(str, shape))}, says {size}")
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
