"""Pictures as a data set's options want them: which way up, of which bands, and between which black and white."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import image_size, orientation_of, read_bands, read_stored, turned
from segda.data.find import Place
from segda.data.index import FolderOptions, find_pairs
from segda.data.label_decoder import LabelDecoder
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace

Orientation = Literal["apply", "as_stored", "refuse"]
"""What is done with EXIF's tag: turn the picture upright as viewers do, leave it as stored, or refuse it."""


class PictureOptions(FolderOptions, total=False):
    """What every reader of picture files takes besides its own options.

    Attributes:
        orientation: what is done with pictures whose EXIF tag says that they are stored lying or mirrored. Without it
            they are turned upright where they have no label map; where they have one, they are read the way that makes
            the sizes of both agree, and refused where both ways do.
        bands: which bands are red, green and blue, or the one that is grey; they count from 1.
        values: the values of black and white; what is beyond is cut off. Without it, 0 and the highest of 8 or 16 bits.
    """

    orientation: Orientation | None
    bands: tuple[int, ...] | None
    values: tuple[float, float] | None


class Picture(NamedTuple):
    """A decoded picture: uint8 RGB `[H, W, 3]`, the EXIF orientation of its file, and whether it was turned by it."""

    pixels: np.ndarray
    orientation: int
    turned: bool


@dataclass(frozen=True)
class Pictures:
    """Decodes picture files; options as in `PictureOptions`.

    Attributes:
        labels: picture to its label map, where labels are opened.
    """

    orientation: Orientation | None = None
    bands: tuple[int, ...] | None = None
    values: tuple[float, float] | None = None
    labels: Mapping[Path, Path] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        bands, values = self.bands, self.values
        if bands is not None and (len(bands) not in (1, 3) or min(bands) < 1):
            raise ConfigError(f"bands: {list(bands)}; expected three numbers from 1 (red, green, blue), or one (grey)")
        if values is not None and not values[0] < values[1]:
            raise ConfigError(f"values: {list(values)}; expected [black, white] with black < white")

    def __call__(self, path: Path) -> np.ndarray:
        """uint8 RGB `[H, W, 3]`; errors as in `read`."""
        return self.read(path).pixels

    def read(self, path: Path) -> Picture:
        """Decode a picture.

        Raises:
            DataError: as `segda.data.decode.read_rgb`; a band that the file lacks; an orientation that is refused.
        """
        pixels, tag = read_stored(path) if self.bands is None and self.values is None else self._chosen(path)
        upright = tag != 1 and self._is_turned(path, pixels.shape[:2], tag)
        return Picture(turned(pixels, tag) if upright else pixels, tag, upright)

    def described(self) -> str:
        """`bands: [3, 2, 1], values: [0, 4095]`; empty where neither is given."""
        given = {"bands": self.bands, "values": self.values}
        return ", ".join(f"{key}: {[*numbers]}" for key, numbers in given.items() if numbers is not None)

    def look(self, path: Path) -> None:
        """Refuse, by the heads of picture and label, an orientation that `read` would refuse.

        Raises:
            DataError: as `read`.
        """
        if self.bands is None and (tag := orientation_of(path)) != 1:
            self._is_turned(path, image_size(path), tag)

    def doubt(self, path: Path) -> str | None:
        """Why a picture may be read as nearly black or white, by all of its numbers; `None` where it is not.

        Raises:
            DataError: as `read`.
        """
        if self.values is not None:
            seen = self._chosen(path)[0]
            shade = "black" if seen.max() < 16 else "white" if np.median(seen) == 255 else None
            return shade and f"{path.name} is nearly {shade} by `values: {[*self.values]}`; are these its values?"
        pixels, _ = read_bands(path, chosen=self.bands is not None)
        if pixels.dtype == np.uint16 and 0 < pixels.max() < 4096:
            return (
                f"{path.name} holds numbers of 16 bits, of which the highest is {pixels.max()}, so it is nearly black; "
                "give the data set `values: [black, white]`, for 12 bits `values: [0, 4095]`"
            )
        return None

    def _is_turned(self, path: Path, stored: tuple[int, ...], tag: int) -> bool:
        """Whether a picture that has an orientation tag is turned upright."""
        label = self.labels.get(path)
        if self.orientation is not None or label is None:
            return _policy(path, tag, self.orientation or "apply")
        if orientation_of(label) == tag:
            return True  # both are turned alike
        shown = stored if tag < 5 else stored[::-1]
        if shown != stored:
            return image_size(label) != stored
        raise DataError(
            f"{path}: has EXIF orientation {tag}, and either way it has the size of its label {label}; give the data "
            "set `orientation: apply` if the labels were drawn on the pictures as viewers show them, `orientation: "
            "as_stored` if on the stored pixels"
        )

    def _chosen(self, path: Path) -> tuple[np.ndarray, int]:
        """The chosen bands as uint8 RGB, as stored, and the file's orientation."""
        pixels, tag = read_bands(path, chosen=self.bands is not None)
        count = pixels.shape[2]
        bands = self.bands or ((1, 2, 3) if count > 2 else (1,))
        if max(bands) > count:
            raise DataError(f"{path}: holds {count} bands, but `bands` names {max(bands)}; name those that it holds")
        return _eight_bits(path, pixels[:, :, [band - 1 for band in bands * (3 // len(bands))]], self.values), tag


def open_pairs(  # noqa: D417
    name: str,
    root: Path,
    space: LabelSpace,
    classes: Mapping[int, str | None],
    images: Place,
    labels: Place,
    read_ids: Callable[[Path], np.ndarray],
    split: str,
    with_labels: bool,
    *,
    several_images: bool = False,
    only: Container[str] | None = None,
    ignore_from_row: float = 1.0,
    orientation: Orientation | None = None,
    bands: tuple[int, ...] | None = None,
    values: tuple[float, float] | None = None,
    **options: Unpack[FolderOptions],
) -> Dataset:
    """A data set of pictures with label maps; the options are those of `PictureOptions`.

    Args:
        name: the reader's name.
        root: the folder that holds the files.
        space: the task's label space.
        classes: native id to class name.
        images: where the pictures are.
        labels: where the label files are.
        read_ids: label file to integer `[H, W]` of native ids, as stored.
        split: as in `find_pairs`, as are `with_labels`, `several_images` and `only`.
        with_labels: see there.
        several_images: see there.
        only: see there.
        ignore_from_row: as in `LabelDecoder`.

    Raises:
        DataError: nothing is left, and when strict, unpaired files.
        ConfigError: impossible `bands`, `values` or `limit`.
    """
    samples, problems = find_pairs(
        root, images, labels, split, with_labels, several_images=several_images, only=only, **options
    )
    maps = {sample.image: sample.label for sample in samples if sample.label is not None}
    pictures = {label: image for image, label in maps.items()}
    decoder = LabelDecoder(space, classes, LabelMaps(read_ids, orientation, pictures), ignore_from_row)
    return Dataset(name, root, space, samples, Pictures(orientation, bands, values, maps), decoder, problems)


@dataclass(frozen=True)
class LabelMaps:
    """Reads label files; one with an orientation tag is turned as its picture is, or as an option says."""

    read_ids: Callable[[Path], np.ndarray]
    orientation: Orientation | None
    pictures: Mapping[Path, Path] = field(repr=False)

    def __call__(self, path: Path) -> np.ndarray:
        """Integer `[H, W]` of native ids; errors as in `read_ids`, or an orientation that is refused."""
        ids = self.read_ids(path)
        tag = orientation_of(path)
        if tag == 1:
            return ids
        alike = path in self.pictures and orientation_of(self.pictures[path]) == tag
        return turned(ids, tag) if _policy(path, tag, self.orientation or ("apply" if alike else "refuse")) else ids


def _policy(path: Path, tag: int, policy: Orientation) -> bool:
    if policy == "refuse":
        raise DataError(
            f"{path}: has EXIF orientation {tag}; give the data set `orientation: apply` to turn images and labels as "
            "viewers show them, or `orientation: as_stored` to read both as they are"
        )
    return policy == "apply"


def _eight_bits(path: Path, pixels: np.ndarray, values: tuple[float, float] | None) -> np.ndarray:
    if values is None and pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if values is None and pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    if values is None:
        raise DataError(
            f"{path}: {pixels.dtype} numbers, of which none is known to be black or white; give the data set "
            "`values: [black, white]`, such as `values: [0, 1]`"
        )
    if pixels.dtype.kind == "u" and not 1 < values[1] < 2 * (np.iinfo(pixels.dtype).max + 1):
        raise DataError(
            f"{path}: numbers of {8 * pixels.itemsize} bits, to which `values: {[*values]}` do not belong; give "
            "pictures of one kind, and their black and white"
        )
    scaled = (pixels.astype(np.float64) - values[0]) * (255 / (values[1] - values[0]))
    if not np.isfinite(scaled).all():
        raise DataError(f"{path}: holds values that are no finite numbers; fill them, or exclude the file")
    return np.rint(scaled.clip(0, 255)).astype(np.uint8)
