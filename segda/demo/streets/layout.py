"""How often things occur in the streets of a domain."""

import math
from dataclasses import dataclass
from random import Random

Range = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """How often things occur in a domain, by default the rendered one; both have all classes, in different shares."""

    camera_height: Range = (1.5, 2.5)  # metres
    pitch: Range = (0.0, 5.0)  # degrees down
    field_of_view: Range = (58.0, 76.0)  # degrees across
    lanes: tuple[int, int] = (2, 4)  # number of lanes
    suburb: float = 0.34  # share of scenes with gardens and cottages instead of a closed street front
    building_height: Range = (7.0, 18.0)  # metres
    parked: float = 0.3  # share of parking spaces along the kerb with a car
    driving: float = 2.6  # mean number of cars on the road
    heavy: float = 0.3  # probability of a truck, and of a bus, in a scene
    tram: float = 0.16  # probability of a tram
    people: float = 6.0  # mean number of people
    cycles: float = 2.6  # mean number of bicycles and motorcycles, parked or ridden
    trees: float = 0.45  # probability of a tree at each spot for one
    clutter: float = 1.4  # mean number of bins and boxes
    bonnet: bool = False  # whether the camera sees its own car's bonnet
    yellow_lines: float = 0.7  # probability of a double yellow middle line


def poisson(random: Random, mean: float) -> int:
    """A random count with the given mean."""
    count, product, limit = 0, random.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * random.random()
    return count
