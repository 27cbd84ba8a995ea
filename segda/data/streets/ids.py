"""Cityscapes' raw label ids and colours, which GTA5's palette PNGs share. Source: cityscapesScripts, labels.py."""

import numpy as np

EGO_VEHICLE, RECTIFICATION_BORDER, STATIC, DYNAMIC, GROUND = 1, 2, 4, 5, 6
ROAD, SIDEWALK, PARKING, RAIL_TRACK = 7, 8, 9, 10
BUILDING, WALL, FENCE, GUARD_RAIL = 11, 12, 13, 14
POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN = 17, 19, 20
VEGETATION, TERRAIN, SKY = 21, 22, 23
PERSON, RIDER = 24, 25
CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = 26, 27, 28, 31, 32, 33

#: The ids of the 19 classes that Cityscapes scores, in the order of their train ids.
SCORED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)

_COLOURS = (
    (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (111, 74, 0), (81, 0, 81),
    (128, 64, 128), (244, 35, 232), (250, 170, 160), (230, 150, 140),
    (70, 70, 70), (102, 102, 156), (190, 153, 153), (180, 165, 180), (150, 100, 100), (150, 120, 90),
    (153, 153, 153), (153, 153, 153), (250, 170, 30), (220, 220, 0),
    (107, 142, 35), (152, 251, 152), (70, 130, 180),
    (220, 20, 60), (255, 0, 0),
    (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 0, 90), (0, 0, 110), (0, 80, 100), (0, 0, 230), (119, 11, 32),
    (0, 0, 142),
)  # fmt: skip

#: uint8 RGB `[256, 3]`: the colour of every raw id, black beyond the last id.
PALETTE = np.zeros((256, 3), dtype=np.uint8)
PALETTE[: len(_COLOURS)] = _COLOURS
