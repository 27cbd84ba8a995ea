"""The raw Cityscapes ids that streets are drawn in, by name, and their colours."""

import numpy as np

from segda.label_spaces import cityscapes

EGO_VEHICLE, STATIC, DYNAMIC = 1, 4, 5
ROAD, SIDEWALK, PARKING, RAIL_TRACK = 7, 8, 9, 10
BUILDING, WALL, FENCE, GUARD_RAIL = 11, 12, 13, 14
POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN = 17, 19, 20
VEGETATION, TERRAIN, SKY = 21, 22, 23
PERSON, RIDER = 24, 25
CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = 26, 27, 28, 31, 32, 33

#: uint8 RGB `[256, 3]`: the colour of every raw id, black beyond the last id.
PALETTE = np.array(cityscapes.id_palette(), dtype=np.uint8).reshape(256, 3)
