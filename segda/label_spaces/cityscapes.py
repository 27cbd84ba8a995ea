"""Cityscapes: the 19 evaluated classes, and all raw ids with their names and colours.

Source: cityscapesScripts, `helpers/labels.py`.
"""

import numpy as np

from segda.errors import ConfigError
from segda.label_space import LabelSpace

# One row for each raw id: name and official RGB colour. GTA5 writes the licence plate as 34.
_RAW: dict[int, tuple[str, tuple[int, int, int]]] = {
    0: ("unlabeled", (0, 0, 0)),
    1: ("ego vehicle", (0, 0, 0)),
    2: ("rectification border", (0, 0, 0)),
    3: ("out of roi", (0, 0, 0)),
    4: ("static", (0, 0, 0)),
    5: ("dynamic", (111, 74, 0)),
    6: ("ground", (81, 0, 81)),
    7: ("road", (128, 64, 128)),
    8: ("sidewalk", (244, 35, 232)),
    9: ("parking", (250, 170, 160)),
    10: ("rail track", (230, 150, 140)),
    11: ("building", (70, 70, 70)),
    12: ("wall", (102, 102, 156)),
    13: ("fence", (190, 153, 153)),
    14: ("guard rail", (180, 165, 180)),
    15: ("bridge", (150, 100, 100)),
    16: ("tunnel", (150, 120, 90)),
    17: ("pole", (153, 153, 153)),
    18: ("polegroup", (153, 153, 153)),
    19: ("traffic light", (250, 170, 30)),
    20: ("traffic sign", (220, 220, 0)),
    21: ("vegetation", (107, 142, 35)),
    22: ("terrain", (152, 251, 152)),
    23: ("sky", (70, 130, 180)),
    24: ("person", (220, 20, 60)),
    25: ("rider", (255, 0, 0)),
    26: ("car", (0, 0, 142)),
    27: ("truck", (0, 0, 70)),
    28: ("bus", (0, 60, 100)),
    29: ("caravan", (0, 0, 90)),
    30: ("trailer", (0, 0, 110)),
    31: ("train", (0, 80, 100)),
    32: ("motorcycle", (0, 0, 230)),
    33: ("bicycle", (119, 11, 32)),
    34: ("license plate", (0, 0, 142)),
}

#: The raw ids that count, in the order of their class indices ("trainIds").
EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

#: Raw id to name. Cityscapes itself numbers the licence plate -1, which an 8-bit file holds as 255.
IDS: dict[int, str] = {raw: name for raw, (name, _) in _RAW.items()} | {255: "license plate"}

#: The category of each evaluated class; the benchmark scores these seven, too.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "flat": ("road", "sidewalk"),
    "construction": ("building", "wall", "fence"),
    "object": ("pole", "traffic light", "traffic sign"),
    "nature": ("vegetation", "terrain"),
    "sky": ("sky",),
    "human": ("person", "rider"),
    "vehicle": ("car", "truck", "bus", "train", "motorcycle", "bicycle"),
}
_CATEGORY = {name: category for category, names in CATEGORIES.items() for name in names}
_COLOURS = dict(_RAW[raw] for raw in EVALUATED)

#: RGB colour to name; of several ids that share one, the name of that which counts.
COLOURS: dict[tuple[int, int, int], str] = {
    **{colour: name for name, colour in reversed(_RAW.values())},
    **{colour: name for name, colour in _COLOURS.items()},
}

SPACE = LabelSpace(
    name="cityscapes",
    classes=tuple(_COLOURS),
    palette=tuple(_COLOURS.values()),
    categories=tuple(_CATEGORY[name] for name in _COLOURS),
    subspaces=("synthia16", "synthia13"),
    things=("traffic light", "traffic sign", *CATEGORIES["human"], *CATEGORIES["vehicle"]),
)


def to_ids(label: np.ndarray, space: LabelSpace = SPACE) -> np.ndarray:
    """Class indices to raw ids, as the official scorer and the `labelIds` files have them.

    Args:
        label: integer `[H, W]` of class indices; 255 where ignored.
        space: of the indices; its classes have Cityscapes' names.

    Returns:
        uint8 `[H, W]` of raw ids; ignored pixels become 0 (`unlabeled`).

    Raises:
        ConfigError: the space has a class that Cityscapes does not evaluate.
    """
    ids = {_RAW[raw][0]: raw for raw in EVALUATED}
    for name in space.classes:
        if name not in ids:
            raise ConfigError(
                f"label space {space.name!r}: class {name!r} has no id among Cityscapes' evaluated ones, "
                f"{', '.join(ids)}"
            )
    table = np.zeros(256, dtype=np.uint8)
    table[: space.count] = [ids[name] for name in space.classes]
    return table[label]


def id_palette() -> list[int]:
    """The colours of the raw ids as PIL's `putpalette` takes them: 768 values, black from id 35 on."""
    colours = np.zeros((256, 3), dtype=np.uint8)
    for raw, (_, colour) in _RAW.items():
        colours[raw] = colour
    return colours.ravel().tolist()
