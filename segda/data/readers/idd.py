"""IDD (India Driving Dataset): street photographs from India, with labels made of its polygons.

Layout: `leftImg8bit/<split>/<sequence>/<name>_leftImg8bit.png` (or jpg),
`gtFine/<split>/<sequence>/<name>_gtFine_labellevel3Ids.png`, which `createLabels.py` of the authors' `public-code`
writes from the published polygons.
"""

from pathlib import Path

from typing_extensions import Unpack

from segda.data.dataset import Dataset
from segda.data.decode import read_index
from segda.data.find import Place, pictures
from segda.data.label_decoder import names_in
from segda.data.pictures import PictureOptions, open_pairs
from segda.label_space import LabelSpace

# The third level of the authors' hierarchy, 26 classes. What is none of Cityscapes' evaluated classes is ignored.
IDS: dict[int, str | None] = {
    0: "road",
    1: None,  # parking, other drivable ground
    2: "sidewalk",
    3: None,  # rail track, other ground
    4: "person",  # and animals
    5: "rider",
    6: "motorcycle",
    7: "bicycle",
    8: None,  # autorickshaw
    9: "car",
    10: "truck",
    11: "bus",
    12: None,  # caravan, trailer, train, other vehicles
    13: None,  # curb
    14: "wall",
    15: "fence",
    16: None,  # guard rail
    17: None,  # billboard
    18: "traffic sign",
    19: "traffic light",
    20: "pole",
    21: None,  # other obstacles
    22: "building",
    23: None,  # bridge, tunnel
    24: "vegetation",
    25: "sky",  # and other background
    255: None,
}


def build(
    root: Path, space: LabelSpace, split: str = "train", with_labels: bool = True, **options: Unpack[PictureOptions]
) -> Dataset:
    """Index one split of IDD; keys are `000/frame1234`.

    Args:
        root: folder with `leftImg8bit` and, for labels, `gtFine`.
        space: the task's label space.
        split: `train`, `val` or `test` (whose labels are withheld).
        with_labels: pair with labels; otherwise the label folder is not touched.
        options: those of every reader.

    Raises:
        DataError: missing folder, no images, unpaired files, or polygons of which no label images were made.
    """
    images = Place(f"leftImg8bit/{split}", pictures("_leftImg8bit"))
    labels = Place(f"gtFine/{split}", ("_gtFine_labellevel3Ids.png",))
    classes = names_in(space, IDS)
    return open_pairs("idd", root, space, classes, images, labels, read_index, split, with_labels, **options)
