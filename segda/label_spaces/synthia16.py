"""The 16 Cityscapes classes that SYNTHIA-RAND-CITYSCAPES has pixels of: 19 without terrain, truck and train."""

from segda.label_space import load

SPACE = load("cityscapes").without({"terrain", "truck", "train"}, "synthia16", subspaces=("synthia13",))
