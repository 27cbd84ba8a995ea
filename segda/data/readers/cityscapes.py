"""Cityscapes: street photographs from 50 cities, 2048x1024, in their official layout.

Layout: `leftImg8bit/<split>/<city>/<name>_leftImg8bit.png`, `gtFine/<split>/<city>/<name>_gtFine_labelIds.png`.
Of Foggy Cityscapes (Sakaridis et al. 2018): `leftImg8bit_foggy/<split>/<city>/<name>_leftImg8bit_foggy_beta_0.02.png`.
"""

from pathlib import Path
from typing import Literal

from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import read_index
from segda.data.find import Place, pictures
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
    images: str = "leftImg8bit",
    image_endings: tuple[str, ...] = pictures("_leftImg8bit"),
    several_images: bool = False,
    **options: Unpack[PictureOptions],
) -> Dataset:
    """Index one split of Cityscapes; keys are `city/city_000000_000019`.

    Args:
        root: folder with `leftImg8bit` and, for labels, `gtFine`.
        space: the task's label space.
        split: `train`, `val`, `test` or `train_extra` (which has coarse labels only).
        with_labels: pair with labels; otherwise the label folder is not touched.
        annotation: which labels: `gtFine` or `gtCoarse`.
        images: the folder of images, `leftImg8bit_foggy` for Foggy Cityscapes.
        image_endings: what image names end in after `city_000000_000019`.
        several_images: several images may belong to one label, such as levels of fog.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
    """
    where = Place(f"{images}/{split}", image_endings)
    labels = Place(f"{annotation}/{split}", (f"_{annotation}_labelIds.png",))
    return open_pairs(
        "cityscapes", root, space, names_in(space, IDS), where, labels, read_index, split, with_labels,
        several_images=several_images, **options,
    )  # fmt: skip
