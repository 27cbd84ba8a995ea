"""Archives of many images in one file: read once, cut by number.

Sample 7 of `train-images-idx3-ubyte.gz` has the image path `train-images-idx3-ubyte.gz/00007`, which is not on disk.
The arrays stay in this process, shared by all data sets of that file; forked loader workers share their memory.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segda.data import size_limits
from segda.data.dataset import Dataset, Sample
from segda.data.find import check_root
from segda.data.image_labels import checked
from segda.data.index import choose
from segda.data.label_decoder import LabelDecoder
from segda.errors import DataError, SegdaError, reason
from segda.label_space import LabelSpace

#: The most bytes an archive may unpack to; SVHN's largest part takes 1.6e9. A small compressed file can claim any size.
MAX_BYTES = 8_000_000_000
MAX_BYTES_VARIABLE = "SEGDA_MAX_ARCHIVE_BYTES"

#: Archive to one array whose first axis counts its samples. A function or a frozen dataclass: compared and pickled.
Read = Callable[[Path], np.ndarray]

# The arrays last read, each with the size and modification time of its file. MNIST takes 47 MB.
_CACHED = 12
_cache: dict["Part", tuple[tuple[int, int], np.ndarray]] = {}


@dataclass(frozen=True)
class Part:
    """One array of an archive, its images or its labels, which `read` reads from the file."""

    file: Path
    read: Read

    def array(self) -> np.ndarray:
        """All entries, `[N, ...]`, read-only; the file is read again only if it has changed.

        Raises:
            DataError: the file is missing, broken or of another format, or holds nothing.
        """
        try:
            stat = self.file.stat()
        except OSError as error:
            raise DataError(f"{self.file}: file is missing; it was there when the data set was indexed") from error
        stamp = (stat.st_size, stat.st_mtime_ns)
        cached = _cache.get(self)
        if cached is None or cached[0] != stamp:
            while len(_cache) >= _CACHED:
                _cache.pop(next(iter(_cache)), None)
            cached = _cache[self] = (stamp, self._read(stat.st_size))
        return cached[1]

    def _read(self, size: int) -> np.ndarray:
        try:
            array = self.read(self.file)
        except (SegdaError, MemoryError):
            raise
        # A damaged file can fail anywhere: in its decompressor, its checksums, its header or a table of types.
        except Exception as error:
            raise DataError(
                f"{self.file}: not readable: {reason(error)}; {size} bytes; fetch the file again"
            ) from error
        if not array.ndim or not array.size:
            raise DataError(f"{self.file}: holds no sample; fetch the file again")
        array = np.ascontiguousarray(array)
        array.flags.writeable = False
        return array

    def entry(self, path: Path) -> np.ndarray:
        """The entry of a path `<file>/<number>`; without dimensions in a list of labels.

        Raises:
            DataError: as `array`, or the archive is shorter than it was when the data set was indexed.
        """
        cached = _cache.get(self)
        array = self.array() if cached is None else cached[1]
        number = int(path.name)
        if number >= len(array):
            raise DataError(f"{self.file}: holds {len(array)} samples, but number {number} was indexed; start again")
        return array[number, ...]


@dataclass(frozen=True)
class ArchivePictures:
    """Decodes `<archive>/<number>` to RGB `[H, W, 3]`, uint8 or float32 in `[-1, 1]`; grey repeats its channel."""

    images: Part

    def __call__(self, path: Path) -> np.ndarray:
        """One picture; read-only where it is stored in colour. Errors as in `Part.entry`."""
        picture = self.images.entry(path)
        return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)


def unopened(path: Path) -> np.ndarray:
    """The label decoder of a data set that was opened without labels: always an error."""
    raise DataError(f"{path}: labels were not opened; open the data set with labels")


def first_file(root: Path, names: Sequence[str]) -> Path:
    """The first of some files that is in `root`.

    Raises:
        DataError: the folder is missing, or none of the files is there.
    """
    check_root(root)
    for name in names:
        if (root / name).is_file():
            return root / name
    raise DataError(
        f"file {' or '.join(names)} is missing below {root}; the layout needs it, see the data set's config"
    )


def part(root: Path, names: Sequence[str], read: Read) -> Part:
    """One array of the `first_file` of some; nothing is read yet."""
    return Part(first_file(root, names), read)


def check_bytes(file: Path, shape: Sequence[int], item: int) -> None:
    """Refuse an array that is too large according to the file's head; each entry takes `item` bytes.

    Raises:
        DataError: it is above the limit (`SEGDA_MAX_ARCHIVE_BYTES`, else 8e9), or a size is negative.
        ConfigError: `SEGDA_MAX_ARCHIVE_BYTES` is no whole number above 0.
    """
    claimed, sizes = math.prod(int(size) for size in shape) * item, "x".join(map(str, shape))
    limit = size_limits.most(MAX_BYTES_VARIABLE, MAX_BYTES, "bytes")
    if claimed > limit or min(shape, default=0) < 0:
        raise DataError(
            f"{file}: claims {claimed} bytes ({sizes}), above the limit of {limit}; fetch the file again, or raise the "
            f"limit: {MAX_BYTES_VARIABLE}={max(claimed, 1)}"
        )
    size = file.stat().st_size
    if claimed > size_limits.MAX_DEFLATE_RATIO * (size + 1):
        raise DataError(
            f"{file}: claims {claimed} bytes ({sizes}), more than {size} bytes can hold; fetch the file again"
        )


def read_at_most(read: Callable[[int], bytes], count: int) -> bytearray:
    """Up to `count` bytes of an open file, piece by piece: one `read(count)` would allocate them all first."""
    content = bytearray()
    while len(content) < count and (piece := read(min(count - len(content), 1 << 24))):
        content += piece
    return content


def whole_numbers(values: np.ndarray) -> np.ndarray:
    """Labels as integers `[N]`; some programs store whole numbers as floats.

    Raises:
        ValueError: fractions, NaN, text or objects.
    """
    values = values.ravel()
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.round(values)).all():
        return values.astype(np.int64)
    if values.dtype.kind not in "iu":
        raise ValueError(f"labels are {values.dtype}; expected whole numbers")
    return values


def eight_bits(file: Path, values: np.ndarray, black: float, white: float) -> np.ndarray:
    """Grey or colour values as uint8, `black` as 0 and `white` as 255; half levels are rounded down to keep black.

    Raises:
        DataError: values that are not numbers from `black` to `white`.
    """
    if values.dtype.kind not in "iufb":
        raise ValueError(f"values are {values.dtype}; expected numbers")
    scaled = (np.asarray(values, dtype=np.float64) - black) / (white - black)
    # The tolerance is for text files with six decimals.
    if not ((scaled >= -1e-5) & (scaled <= 1 + 1e-5)).all():
        raise DataError(
            f"{file}: values from {np.min(values):g} to {np.max(values):g}, expected {black:g} to {white:g}; "
            "fetch the file again, or give its range"
        )
    return np.ceil(255 * scaled.clip(0, 1) - 0.501).astype(np.uint8)


def open_archive(  # noqa: D417
    name: str,
    root: Path,
    space: LabelSpace,
    classes: Mapping[int, str | None],
    images: Part,
    labels: Part | None,
    *,
    strict: bool = True,
    exclude: tuple[str, ...] = (),
    subset: int | None = None,
    subset_seed: int = 0,
    limit: int | None = None,
    allow_single_class: bool = False,
) -> Dataset:
    """A data set whose images, and labels if any, are entries of archives; keys are 5-digit numbers.

    The options are those of `ImageLabelOptions`.

    Args:
        name: the reader's name.
        root: the folder that holds the files.
        space: the task's label space.
        classes: native id to class name.
        images: uint8 or float32 in `[-1, 1]`, `[N, H, W]` or `[N, H, W, 3]`.
        labels: integers `[N]` of native ids; `None` when labels are not opened.

    Raises:
        DataError: a broken file, counts that disagree, and when strict, labels outside `classes` or of one class.
        ConfigError: a label space of other classes, or an impossible `subset` or `limit`.
    """
    count = len(images.array())
    ids = None if labels is None else labels.array()
    if labels is not None and ids is not None and len(ids) != count:
        raise DataError(
            f"{labels.file}: {len(ids)} labels, but {images.file.name} holds {count} images; fetch both again"
        )
    keys = [f"{number:05d}" for number in range(count)]
    chosen = choose(keys, root, exclude=exclude, subset=subset, subset_seed=subset_seed, limit=limit)
    samples = tuple(
        Sample(keys[index], images.file / keys[index], None if labels is None else labels.file / keys[index])
        for index in chosen
    )
    decoder = LabelDecoder(space, classes, unopened if labels is None else labels.entry)
    dataset = Dataset(name, root, space, samples, ArchivePictures(images), decoder)
    return checked(dataset, None if ids is None else ids[chosen], strict, allow_single_class)
