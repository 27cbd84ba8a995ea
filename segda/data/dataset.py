"""A data set: an index of files, and decoders for one image and one label."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segda.errors import DataError
from segda.label_space import LabelSpace


class Sample(NamedTuple):
    """One image and, where labels are in use, its label file.

    `key` names the sample within its data set: the image's path below its image folder, without the ending. In an
    archive of many images, `image` is `<archive file>/<number>`, which is not on disk, and `key` the number.
    """

    key: str
    image: Path
    label: Path | None


class Problem(NamedTuple):
    """One thing wrong with one file: `kind` (`image without label`, `broken file`, ...), the file, and the details.

    `key` is that of the sample that the file belongs to, if any.
    """

    kind: str
    file: Path
    detail: str = ""
    key: str = ""


@dataclass(frozen=True)
class Dataset:
    """An indexed data set. Files are decoded when they are read, and nothing is ever written below `root`.

    Attributes:
        name: the reader's name, for messages and manifests.
        root: the folder that holds the files.
        space: the label space of what `decode_label` returns.
        samples: sorted by `key`; `label` is `None` throughout when the data set was opened without labels.
        decode_image: image file to uint8 RGB `[H, W, 3]` (grey pictures repeat their channel), or to float32
            `[H, W, 3]` in `[-1, 1]` where 8 bits are too coarse.
        decode_label: label file to uint8 class indices, `space.ignore_index` where ignored: `[H, W]`, or without
            dimensions where the label is one class for the whole image. segda's readers give a
            `segda.data.label_decoder.LabelDecoder`, which also has the native ids.
        problems: files that could not be paired; only a data set opened with `strict=False` holds any.
    """

    name: str
    root: Path
    space: LabelSpace
    samples: tuple[Sample, ...]
    decode_image: Callable[[Path], np.ndarray]
    decode_label: Callable[[Path], np.ndarray]
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Decode one sample.

        Returns:
            The image, uint8 RGB `[H, W, 3]` or float32 in `[-1, 1]`, and its label, uint8 class indices `[H, W]` or
            `[]` (the whole image's); `None` for the label when the data set was opened without labels.

        Raises:
            DataError: a file is broken, a label holds an unknown id, or image and label differ in size.
        """
        sample = self.samples[index]
        image = self.decode_image(sample.image)
        if sample.label is None:
            return image, None
        label = self.decode_label(sample.label)
        if label.ndim and label.shape != image.shape[:2]:
            raise DataError(
                f"{sample.label}: label is {label.shape[0]}x{label.shape[1]} (height x width) but its image "
                f"{sample.image} is {image.shape[0]}x{image.shape[1]}; {size_remedy(label.shape, image.shape)}"
            )
        return image, label


def size_remedy(label: tuple[int, ...], image: tuple[int, ...]) -> str:
    """What to do about a label of another size than its image."""
    if label[:2] == image[1::-1]:
        return (
            "one lies on its side: set `orientation` to what makes them agree (`apply` or `as_stored`) if the image "
            "has an EXIF tag, else turn the files"
        )
    return "they must match, pixel for pixel"
