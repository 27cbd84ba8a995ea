"""The 13 classes of the other usual SYNTHIA protocol: the 16 without wall, fence and pole."""

from segda.label_space import load

SPACE = load("synthia16").without({"wall", "fence", "pole"}, "synthia13")
