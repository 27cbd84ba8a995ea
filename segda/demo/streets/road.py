"""The ground of a street: a bending road with markings, kerbs, sidewalks, verges, parking bays and side streets."""

import math
from dataclasses import dataclass, field

import numpy as np

from segda.demo.streets import ids
from segda.demo.streets.layout import Range
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Item, Mesh, Point

FAR = 160.0
_STATIONS = (-2.0, 3.0, 6.0, 10.0, 15.0, 20.0, 27.0, 35.0, 45.0, 60.0, 80.0, 110.0, FAR)


@dataclass(frozen=True)
class Road:
    """A road along z whose middle bends by `bend * z**2`."""

    left: float  # lateral position of its left edge in metres, below 0; the camera is at 0
    right: float  # lateral position of its right edge
    bend: float  # curvature of the middle line in 1/m
    lane: float  # width of a lane in metres
    crossings: tuple[float, ...]  # distances at which side streets cross

    def at(self, lateral: float, z: float) -> tuple[float, float]:
        """World (x, z) of a lateral position at a distance."""
        return self.bend * max(z, 0.0) ** 2 + lateral, z

    def heading(self, z: float) -> float:
        """Direction of the road at a distance, in radians."""
        return math.atan(2 * self.bend * max(z, 0.0))

    def kerbs(self) -> list[tuple[float, float]]:
        """From where to where the kerbs run: they stop at the side streets."""
        stops = [-2.0]
        for z in self.crossings:
            stops += [z - self.lane, z + self.lane]
        stops.append(150.0)
        return list(zip(stops[::2], stops[1::2], strict=True))

    def free(self, z: float) -> bool:
        """Whether a distance is clear of the side streets."""
        return all(abs(z - crossing) > 9 for crossing in self.crossings)

    def strip(self, left: float, right: float, start: float = -2.0, end: float = FAR) -> list[Point]:
        """The ground between two lateral positions, from one distance to another."""
        stations = [start, *(z for z in _STATIONS if start < z < end), end]
        near_side = [self.at(left, z) for z in stations]
        far_side = [self.at(right, z) for z in reversed(stations)]
        # Counter-clockwise as seen from above, so that the ground is not seen from behind.
        return [(x, 0.0, z) for x, z in reversed(near_side + far_side)]


@dataclass
class Ground:
    """Flat polygons in painting order, all on the ground."""

    mesh: Mesh = field(default_factory=lambda: Mesh(solid=False))

    def add(self, points: list[Point], label: int, material: Material, tone: float = 0.0, gain: float = 1.0) -> None:
        """Lay a polygon over the ones before it."""
        (self.mesh.detail if self.mesh.sizes else self.mesh.face)(points, label, material, tone, gain)

    def strip(
        self, road: Road, edge: float, side: int, out: Range, along: Range, look: tuple[int, Material, float]
    ) -> None:
        """Lay a strip along the road, `out` metres off its `edge` on one `side`; `look`: label, material and tone."""
        left, right = sorted((edge + side * out[0], edge + side * out[1]))
        self.add(road.strip(left, right, *along), *look)

    def item(self) -> Item:
        """The ground as the first thing to be drawn."""
        return Item(self.mesh, np.array(self.mesh.points), order=1e6)


def mark_lanes(ground: Ground, road: Road, tone: float, yellow_middle: bool) -> None:
    """Edge lines, dashed lane lines, a middle line, and zebra crossings at the side streets."""

    def line(lateral: float, start: float, end: float, gain: float = 1.0, shade: float = tone) -> None:
        ground.add(road.strip(lateral - 0.09, lateral + 0.09, start, end), ids.ROAD, Material.MARKING, shade, gain)

    middle = (road.left + road.right) / 2
    lanes = max(2, round((road.right - road.left) / road.lane))
    for i in range(1, lanes):
        lateral = road.left + (road.right - road.left) * i / lanes
        if yellow_middle and abs(lateral - middle) < 0.5:
            line(lateral - 0.15, -2.0, 90.0, shade=0.95)
            line(lateral + 0.15, -2.0, 90.0, shade=0.95)
            continue
        z = -2.0 + 3.0 * (tone * 7 % 1)
        while z < 70:
            line(lateral, z, z + 3.0)
            z += 7.0
    for lateral in (road.left + 0.3, road.right - 0.3):
        line(lateral, -2.0, 90.0, 0.95)
    for z in road.crossings:
        ground.add(road.strip(road.left, road.right, z - 6.2, z - 2.0), ids.ROAD, Material.ASPHALT, 0.5)
        lateral = road.left + 0.5
        while lateral < road.right - 0.6:
            ground.add(road.strip(lateral, lateral + 0.5, z - 5.4, z - 2.6), ids.ROAD, Material.MARKING, tone)
            lateral += 1.05
        ground.add(road.strip(0.0 - road.lane / 2, road.right, z - 7.0, z - 6.6), ids.ROAD, Material.MARKING, tone)


def side_street(ground: Ground, road: Road, z: float, width: float) -> None:
    """A road that crosses at a right angle, with sidewalks of its own."""
    x, _ = road.at(0.0, z)

    def across(z0: float, z1: float) -> list[Point]:
        return [(x - 120.0, 0.0, z1), (x + 120.0, 0.0, z1), (x + 120.0, 0.0, z0), (x - 120.0, 0.0, z0)]

    ground.add(across(z - width / 2 - 2.0, z + width / 2 + 2.0), ids.SIDEWALK, Material.PAVING)
    ground.add(across(z - width / 2, z + width / 2), ids.ROAD, Material.ASPHALT)


def rails(ground: Ground, road: Road, lateral: float) -> None:
    """A pair of tram rails in a bed of cobbles."""
    ground.add(road.strip(lateral - 1.2, lateral + 1.2), ids.RAIL_TRACK, Material.COBBLES)
    for side in (-0.72, 0.72):
        rail = road.strip(lateral + side - 0.06, lateral + side + 0.06, -2.0, 70.0)
        ground.add(rail, ids.RAIL_TRACK, Material.RIM, 0.0, 0.8)
