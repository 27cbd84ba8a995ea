"""The 16 Cityscapes classes that SYNTHIA-RAND-CITYSCAPES has pixels of: 19 without terrain, truck and train."""

from segda.labels import cityscapes

SPACE = cityscapes.SPACE.without(("terrain", "truck", "train"), "synthia16")
