"""The ten digits: MNIST, USPS, SVHN, MNIST-M and their like."""

from segda.label_space import LabelSpace

# Ten colours for a scatter plot (Tableau's).
_CLASSES = {
    "0": (31, 119, 180),
    "1": (255, 127, 14),
    "2": (44, 160, 44),
    "3": (214, 39, 40),
    "4": (148, 103, 189),
    "5": (140, 86, 75),
    "6": (227, 119, 194),
    "7": (127, 127, 127),
    "8": (188, 189, 34),
    "9": (23, 190, 207),
}

SPACE = LabelSpace(name="digits", classes=tuple(_CLASSES), palette=tuple(_CLASSES.values()))
