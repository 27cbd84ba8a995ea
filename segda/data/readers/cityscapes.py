"""Cityscapes: street photographs from 50 cities, 2048x1024, in their official layout.

Layout: `leftImg8bit/<split>/<city>/<name>_leftImg8bit.png`, `gtFine/<split>/<city>/<name>_gtFine_labelIds.png`.
"""

from pathlib import Path
from typing import Literal

from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import read_index
from segda.data.index import find_files
from segda.data.label_decoder import names_in
from segda.data.pictures import PictureOptions, open_pairs
from segda.label_space import LabelSpace
from segda.label_spaces.cityscapes import IDS


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    annotation: Literal["gtFine", "gtCoarse"] = "gtFine",
    **options: Unpack[PictureOptions],
) -> Dataset:
    """Index one split of Cityscapes; keys are `city/city_000000_000019`.

    Args:
        root: folder with `leftImg8bit` and, for labels, `gtFine`.
        space: the task's label space.
        split: `train`, `val`, `test` or `train_extra` (which has coarse labels only).
        with_labels: pair with labels; otherwise the label folder is not touched.
        annotation: which labels: `gtFine` or `gtCoarse`.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
    """
    images = find_files(root, f"leftImg8bit/{split}", ["_leftImg8bit.png"])
    labels = find_files(root, f"{annotation}/{split}", [f"_{annotation}_labelIds.png"]) if with_labels else None
    return open_pairs("cityscapes", root, space, names_in(space, IDS), images, labels, read_index, **options)
