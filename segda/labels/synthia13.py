"""The 13 classes of the other usual SYNTHIA protocol: the 16 without wall, fence and pole."""

from segda.labels import synthia16

SPACE = synthia16.SPACE.without(("wall", "fence", "pole"), "synthia13")
