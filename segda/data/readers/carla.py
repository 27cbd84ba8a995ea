"""CARLA simulator, camera pairs as the Lyft challenge recorded them; the class is in the label's red channel.

Layout: `CameraRGB/*.jpg` (or png), `CameraSeg/*.png`.
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
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace

IDS: dict[int, str | None] = {
    0: "sky",  # "none": what no other id claims, in these frames almost all of it sky
    1: "building",
    2: "fence",
    3: None,  # other
    4: "person",
    5: "pole",
    6: "road",  # road line
    7: "road",
    8: "sidewalk",
    9: "vegetation",
    10: "car",
    11: "wall",
    12: "traffic sign",  # traffic lights too
}


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    ego_row: float = 0.83,
    **options: Unpack[PictureOptions],
) -> Dataset:
    """Index a folder of CARLA pairs.

    Args:
        root: folder with `CameraRGB` and `CameraSeg`.
        space: the task's label space.
        split: `train`, all files: the set has no other, unless a `list` names it.
        with_labels: pair with labels; otherwise the label folder is not touched.
        ego_row: share of the height from which rows are ignored: the ego car's bonnet, labelled as a car. 1 keeps all.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
        ConfigError: another split than `train`, or `ego_row` outside (0, 1].
    """
    check_split("carla", split, options.get("list"))
    if not 0 < ego_row <= 1:
        raise ConfigError(f"ego_row: {ego_row}; expected a share of the height in (0, 1], 1 to ignore no row")
    images, labels = Place("CameraRGB", PICTURES), Place("CameraSeg", (".png",))
    # CamVid draws walls as buildings.
    classes = names_in(space, IDS | {11: "building"} if space.name == "camvid" else IDS)
    return open_pairs(
        "carla", root, space, classes, images, labels, _ids, split, with_labels, ignore_from_row=ego_row, **options
    )


def _ids(path: Path) -> np.ndarray:
    channels = read_channels(path)
    if channels.ndim != 3 or channels.dtype != np.uint8:
        raise DataError(
            f"{path}: {channels.dtype} of shape {channels.shape}, but CARLA's labels are 8-bit colour files with the "
            "class in the red channel; use the recorded files"
        )
    return np.ascontiguousarray(channels[:, :, 2])  # OpenCV's order is blue, green, red
