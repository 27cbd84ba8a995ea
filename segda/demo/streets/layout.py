"""How often things occur in the streets of a domain."""

import math
from dataclasses import dataclass
from random import Random

Range = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """How often things occur in a domain, by default in the rendered one; both have all classes, in different shares.

    Attributes:
        camera_height: metres.
        pitch: degrees down.
        field_of_view: degrees across.
        lanes: number of lanes.
        suburb: share of scenes with gardens and cottages instead of a closed street front.
        building_height: metres.
        parked: share of parking spaces along the kerb with a car.
        driving: mean number of cars on the road.
        heavy: probability of a truck, and of a bus, in a scene.
        tram: probability of a tram.
        people: mean number of people.
        cycles: mean number of bicycles and motorcycles, parked or ridden.
        trees: probability of a tree at each spot for one.
        clutter: mean number of bins and boxes.
        bonnet: whether the camera sees its own car's bonnet.
        yellow_lines: probability of a double yellow middle line.
    """

    camera_height: Range = (1.5, 2.5)
    pitch: Range = (0.0, 5.0)
    field_of_view: Range = (58.0, 76.0)
    lanes: tuple[int, int] = (2, 4)
    suburb: float = 0.34
    building_height: Range = (7.0, 18.0)
    parked: float = 0.3
    driving: float = 2.6
    heavy: float = 0.3
    tram: float = 0.16
    people: float = 6.0
    cycles: float = 2.6
    trees: float = 0.45
    clutter: float = 1.4
    bonnet: bool = False
    yellow_lines: float = 0.7


def poisson(random: Random, mean: float) -> int:
    """A random count with the given mean."""
    count, product, limit = 0, random.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * random.random()
    return count
