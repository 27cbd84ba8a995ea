"""ACDC and Dark Zurich: street photographs in fog, rain, snow and at night, 1920x1080, with Cityscapes' classes.

Layout of ACDC (Sakaridis et al. 2021): `rgb_anon/<condition>/<split>/<sequence>/<name>_rgb_anon.png`,
`gt/<condition>/<split>/<sequence>/<name>_gt_labelTrainIds.png`. In Dark Zurich (Sakaridis et al. 2019) the split is
outside: `rgb_anon/<split>/<condition>/`.
"""

from pathlib import Path
from typing import Literal

from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import read_index
from segda.data.find import Place, folder_names, pictures
from segda.data.label_decoder import names_in
from segda.data.pictures import PictureOptions, open_pairs
from segda.errors import ConfigError
from segda.label_space import LabelSpace
from segda.label_spaces.cityscapes import IDS, SPACE

TRAIN_IDS: dict[int, str | None] = {**dict(enumerate(SPACE.classes)), 255: None}


def build(
    root: Path,
    space: LabelSpace,
    split: str = "train",
    with_labels: bool = True,
    conditions: tuple[str, ...] = (),
    folders: str = "*/{split}",
    annotation: Literal["labelTrainIds", "labelIds"] = "labelTrainIds",
    **options: Unpack[PictureOptions],
) -> Dataset:
    """Index one split of ACDC or Dark Zurich; keys are `night/GOPR0351/GOPR0351_frame_000001`.

    Args:
        root: folder with `rgb_anon` and, for labels, `gt`.
        space: the task's label space.
        split: `train`, `val`, `test` (whose labels are withheld), or `train_ref` and so on: the same places by day in
            good weather, without labels.
        with_labels: pair with labels; otherwise the label folder is not touched.
        conditions: such as `night` and `fog`; empty for all that are there.
        folders: below `rgb_anon` and `gt`; `*` stands for the condition.
        annotation: which of the published labels; both say the same.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files.
        ConfigError: no such condition.
    """
    below = folders.replace("{split}", split)
    there = folder_names(root, f"rgb_anon/{below}")
    missing = sorted(set(conditions) - set(there))
    if missing:
        raise ConfigError(
            f"conditions: {missing[0]!r} has no folder {split!r} below {root / 'rgb_anon'}; valid: {', '.join(there)}"
        )
    # The pictures in good weather are `_rgb_ref_anon`, which no other split is to take for images.
    ending = "_anon" if split.endswith("_ref") else "_rgb_anon"
    chosen = conditions or tuple(there)
    images = Place(f"rgb_anon/{below}", pictures(ending), chosen)
    labels = Place(f"gt/{below}", (f"_gt_{annotation}.png",), chosen)
    classes = names_in(space, TRAIN_IDS if annotation == "labelTrainIds" else IDS)
    return open_pairs("acdc", root, space, classes, images, labels, read_index, split, with_labels, **options)
