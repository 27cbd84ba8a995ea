"""How often things occur in the streets of a domain."""

import math
from dataclasses import dataclass
from random import Random

Range = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """How often things occur in a domain; both domains have all classes, in different shares.

    Attributes:
        camera_height: metres.
        pitch: degrees down.
        field_of_view: degrees across.
        lanes: number of lanes.
        suburb: share of scenes with gardens and cottages instead of a closed street front.
        building_height: metres.
        parked: share of kerb places with a parked car.
        driving: mean number of cars on the road.
        heavy: probability of a truck, and of a bus, in a scene.
        tram: probability of a tram.
        people: mean number of people.
        cycles: mean number of bicycles and motorcycles, parked or ridden.
        trees: probability of a tree at each place for one.
        clutter: mean number of bins and boxes.
        bonnet: whether the camera sees its own car's bonnet.
        yellow_lines: probability of a double yellow middle line.
    """

    camera_height: Range
    pitch: Range
    field_of_view: Range
    lanes: tuple[int, int]
    suburb: float
    building_height: Range
    parked: float
    driving: float
    heavy: float
    tram: float
    people: float
    cycles: float
    trees: float
    clutter: float
    bonnet: bool
    yellow_lines: float


def poisson(random: Random, mean: float) -> int:
    """A random count with the given mean."""
    count, product, limit = 0, random.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * random.random()
    return count
