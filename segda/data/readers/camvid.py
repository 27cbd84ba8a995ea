"""CamVid as SegNet released it: driving video of Cambridge, 480x360, 11 classes and void.

Layout: `<split>/*.png` (or jpg), `<split>annot/*.png`.
"""

from pathlib import Path

from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import read_index
from segda.data.find import PICTURES, Place
from segda.data.label_decoder import names_in
from segda.data.pictures import PictureOptions, open_pairs
from segda.label_space import LabelSpace, load

IDS: dict[int, str | None] = {**dict(enumerate(load("camvid").classes)), 11: None}  # 11 is void


def build(
    root: Path, space: LabelSpace, split: str = "train", with_labels: bool = True, **options: Unpack[PictureOptions]
) -> Dataset:
    """Index one split of CamVid.

    Args:
        root: folder with `<split>` and `<split>annot`.
        space: the task's label space.
        split: `train`, `val` or `test`.
        with_labels: pair with labels; otherwise the label folder is not touched.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
    """
    images, labels = Place(split, PICTURES), Place(f"{split}annot", (".png",))
    classes = names_in(space, IDS)
    return open_pairs("camvid", root, space, classes, images, labels, read_index, split, with_labels, **options)
