"""The 12 classes of VisDA-2017, as their folders are called.

Source: Peng et al. 2017, VisDA: The Visual Domain Adaptation Challenge.
"""

from segda.label_space import LabelSpace, spread_colour

_CLASSES = (
    "aeroplane", "bicycle", "bus", "car", "horse", "knife", "motorcycle", "person", "plant", "skateboard", "train",
    "truck",
)  # fmt: skip

SPACE = LabelSpace(
    name="visda",
    classes=_CLASSES,
    palette=tuple(spread_colour(index, len(_CLASSES)) for index in range(len(_CLASSES))),
)
