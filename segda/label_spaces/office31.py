"""The 31 kinds of office objects, as their folders are called.

Source: Saenko et al., "Adapting Visual Category Models to New Domains", ECCV 2010.
"""

import colorsys

from segda.label_space import LabelSpace

_CLASSES = (
    "back_pack", "bike", "bike_helmet", "bookcase", "bottle", "calculator", "desk_chair", "desk_lamp",
    "desktop_computer", "file_cabinet", "headphones", "keyboard", "laptop_computer", "letter_tray", "mobile_phone",
    "monitor", "mouse", "mug", "paper_notebook", "pen", "phone", "printer", "projector", "punchers", "ring_binder",
    "ruler", "scissors", "speaker", "stapler", "tape_dispenser", "trash_can",
)  # fmt: skip


def _colour(index: int) -> tuple[int, int, int]:
    """Hues spread around the circle, neighbours in three brightnesses."""
    red, green, blue = colorsys.hsv_to_rgb(index / len(_CLASSES), 0.75, (1.0, 0.8, 0.6)[index % 3])
    return round(255 * red), round(255 * green), round(255 * blue)


SPACE = LabelSpace(name="office31", classes=_CLASSES, palette=tuple(_colour(index) for index in range(len(_CLASSES))))
