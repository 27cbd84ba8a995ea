"""CamVid as SegNet released it: driving video of Cambridge, 480x360, 11 classes and void.

Layout: `<split>/*.png` (or jpg), `<split>annot/*.png`.
"""

from pathlib import Path

from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import read_index, read_rgb
from segda.data.find import PICTURES, Place
from segda.data.index import FolderOptions, find_pairs
from segda.data.label_decoder import LabelDecoder, names_in
from segda.label_space import LabelSpace, load

IDS: dict[int, str | None] = {**dict(enumerate(load("camvid").classes)), 11: None}  # 11 is void


def build(
    root: Path, space: LabelSpace, split: str = "train", with_labels: bool = True, **options: Unpack[FolderOptions]
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
    samples, problems = find_pairs(root, images, labels, split, with_labels, **options)
    decoder = LabelDecoder(space, names_in(space, IDS), read_index)
    return Dataset("camvid", root, space, samples, read_rgb, decoder, problems)
