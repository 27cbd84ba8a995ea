"""The 31 kinds of office objects, as their folders are called.

Source: Saenko et al., "Adapting Visual Category Models to New Domains", ECCV 2010.
"""

from segda.label_space import LabelSpace, spread_colour

_CLASSES = (
    "back_pack", "bike", "bike_helmet", "bookcase", "bottle", "calculator", "desk_chair", "desk_lamp",
    "desktop_computer", "file_cabinet", "headphones", "keyboard", "laptop_computer", "letter_tray", "mobile_phone",
    "monitor", "mouse", "mug", "paper_notebook", "pen", "phone", "printer", "projector", "punchers", "ring_binder",
    "ruler", "scissors", "speaker", "stapler", "tape_dispenser", "trash_can",
)  # fmt: skip

SPACE = LabelSpace(
    name="office31",
    classes=_CLASSES,
    palette=tuple(spread_colour(index, len(_CLASSES)) for index in range(len(_CLASSES))),
)
