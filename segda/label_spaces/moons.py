"""The two intertwining moons of the lecture's toy task."""

from segda.label_space import LabelSpace

SPACE = LabelSpace(name="moons", classes=("upper", "lower"), palette=((31, 119, 180), (255, 127, 14)))
