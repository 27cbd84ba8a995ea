"""The 16 Cityscapes classes that SYNTHIA-RAND-CITYSCAPES has pixels of: 19 without terrain, truck and train."""

from segda.label_space import LabelSpace

_CLASSES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "bus": (0, 60, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}

SPACE = LabelSpace(
    name="synthia16", classes=tuple(_CLASSES), palette=tuple(_CLASSES.values()), subspaces=("synthia13",)
)
