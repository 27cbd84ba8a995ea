"""SYNTHIA-RAND-CITYSCAPES: 9,400 rendered frames, 1280x760; labels are 16-bit, the class in one channel.

Layout: `RGB/0000000.png`, `GT/LABELS/0000000.png`.
"""

from pathlib import Path

import numpy as np
from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import read_channels
from segda.data.find import PICTURES, Place
from segda.data.label_decoder import names_in
from segda.data.pictures import PictureOptions, open_pairs
from segda.data.split_list import check_split
from segda.errors import DataError
from segda.label_space import LabelSpace

IDS: dict[int, str | None] = {
    0: None,
    1: "sky",
    2: "building",
    3: "road",
    4: "sidewalk",
    5: "fence",
    6: "vegetation",
    7: "pole",
    8: "car",
    9: "traffic sign",
    10: "person",
    11: "bicycle",
    12: "motorcycle",
    13: None,  # parking slot
    14: None,  # road work
    15: "traffic light",
    16: "terrain",
    17: "rider",
    18: "truck",
    19: "bus",
    20: "train",
    21: "wall",
    22: None,  # lane marking: ignored by the protocol, though it lies on the road
}


def build(
    root: Path, space: LabelSpace, split: str = "train", with_labels: bool = True, **options: Unpack[PictureOptions]
) -> Dataset:
    """Index SYNTHIA-RAND-CITYSCAPES.

    Args:
        root: folder with `RGB` and `GT/LABELS`.
        space: the task's label space.
        split: `train`, all files: the set has no other, unless a `list` names it.
        with_labels: pair with labels; otherwise the label folder is not touched.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
        ConfigError: another split than `train`.
    """
    check_split("synthia", split, options.get("list"))
    images, labels = Place("RGB", PICTURES), Place("GT/LABELS", (".png",))
    classes = names_in(space, IDS)
    return open_pairs("synthia", root, space, classes, images, labels, _ids, split, with_labels, **options)


def _ids(path: Path) -> np.ndarray:
    """The last channel as OpenCV orders them; the others number the instances."""
    channels = read_channels(path)
    if channels.ndim != 3:
        raise DataError(
            f"{path}: a label of one channel, but SYNTHIA's have several, the class in the last; "
            "use the files of GT/LABELS as published, not converted ones"
        )
    return np.ascontiguousarray(channels[:, :, -1])
