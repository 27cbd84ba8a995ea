"""The 10 classes of CamVid that CARLA's labels have, too: all but the bicyclist."""

from segda.label_space import load

SPACE = load("camvid").without({"bicyclist"}, "camvid10")
