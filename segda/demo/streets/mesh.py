"""Meshes: lists of flat polygons with a label and a material, in metres; x right, y up, z forward."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from segda.demo.streets.material import Material

Point = tuple[float, float, float]


@dataclass
class Mesh:
    """Polygons in an object's own coordinates: the ground below its middle is the origin.

    A `face` starts a group; the `detail`s after it lie on it and are drawn right after it. Groups of one `stage` are
    drawn far to near, and stages in order, which is all that the convex parts of street objects need.

    Attributes:
        solid: faces seen from behind are left out. Counter-clockwise faces, as seen from outside, are in front.
    """

    solid: bool = True
    points: list[Point] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    materials: list[int] = field(default_factory=list)
    tones: list[float] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    stage: int = 0

    def face(
        self, points: Sequence[Point], label: int, material: Material, tone: float = 0.0, gain: float = 1.0
    ) -> None:
        """Add a polygon that starts a group. `tone` in [0, 1) picks a colour of the material; `gain` is brightness."""
        self._add(points, label, material, tone, gain, self.groups[-1] + 1 if self.groups else 0)

    def detail(
        self, points: Sequence[Point], label: int, material: Material, tone: float = 0.0, gain: float = 1.0
    ) -> None:
        """Add a polygon that lies on the face before it."""
        self._add(points, label, material, tone, gain, self.groups[-1])

    def _add(
        self, points: Sequence[Point], label: int, material: Material, tone: float, gain: float, group: int
    ) -> None:
        self.points.extend(points)
        self.sizes.append(len(points))
        self.labels.append(label)
        self.materials.append(int(material))
        self.tones.append(tone)
        self.gains.append(gain)
        self.groups.append(group)
        self.stages.append(self.stage)

    def box(self, low: Point, high: Point, label: int, material: Material, tone: float = 0.0) -> None:
        """Add the five faces of an upright box that can be seen from a street: all but its bottom."""
        for points in box_sides(low, high):
            self.face(points, label, material, tone)


@dataclass(frozen=True)
class Item:
    """A mesh in the world."""

    mesh: Mesh  # the polygons
    points: np.ndarray  # float64 `[P, 3]`, the mesh's points in world coordinates
    order: float  # items of greater order are drawn first; as a rule the distance along the street in metres
    footprint: np.ndarray | None = None  # ground outline `[N, 2]` of (x, z) that casts the item's shadow, or `None`
    height: float = 0.0  # the height in metres that the shadow reaches up to


def place(
    mesh: Mesh, x: float, z: float, heading: float = 0.0, shadow: tuple[float, float, float] | None = None
) -> Item:
    """Stand a mesh that looks along +z in the world, `x` metres to the right and `z` ahead.

    `heading` is in radians, clockwise as seen from above; `shadow` the width, length and height of the box that casts
    the item's shadow.
    """
    cosine, sine = math.cos(heading), math.sin(heading)
    local = np.array(mesh.points, dtype=np.float64)
    points = np.empty_like(local)
    points[:, 0] = x + cosine * local[:, 0] + sine * local[:, 2]
    points[:, 1] = local[:, 1]
    points[:, 2] = z - sine * local[:, 0] + cosine * local[:, 2]
    footprint = None
    if shadow is not None:
        half_width, half_length = shadow[0] / 2, shadow[1] / 2
        across = (-half_width, half_width, half_width, -half_width)
        along = (-half_length, -half_length, half_length, half_length)
        corners = zip(across, along, strict=True)
        footprint = np.array([(x + cosine * a + sine * b, z - sine * a + cosine * b) for a, b in corners])
    return Item(mesh, points, z, footprint, shadow[2] if shadow else 0.0)


def stand(mesh: Mesh, x: float, z: float, shadow: tuple[float, float, float] | None) -> Item:
    """Stand a flat figure in the world, turned towards the camera."""
    return place(mesh, x, z, math.atan2(x, max(z, 0.1)), shadow)


def box_sides(low: Point, high: Point) -> tuple[list[Point], ...]:
    """Back, front, left, right and top of a box, each counter-clockwise as seen from outside."""
    (a, b, c), (d, e, f) = low, high
    return (
        [(a, b, c), (d, b, c), (d, e, c), (a, e, c)],
        [(d, b, f), (a, b, f), (a, e, f), (d, e, f)],
        [(a, b, f), (a, b, c), (a, e, c), (a, e, f)],
        [(d, b, c), (d, b, f), (d, e, f), (d, e, c)],
        [(a, e, c), (d, e, c), (d, e, f), (a, e, f)],
    )


def outline(*corners: tuple[float, float]) -> list[Point]:
    """A polygon of (x, y) corners that faces the viewer."""
    return [(x, y, 0.0) for x, y in corners]


def upright(x0: float, x1: float, y0: float, y1: float) -> list[Point]:
    """A rectangle that faces the viewer."""
    return [(x0, y0, 0.0), (x1, y0, 0.0), (x1, y1, 0.0), (x0, y1, 0.0)]


def disc(x: float, y: float, radius: float, *, corners: int = 12, squash: float = 1.0) -> list[Point]:
    """A regular polygon that faces the viewer; `squash` scales its height."""
    angles = [2 * math.pi * (i + 0.5) / corners for i in range(corners)]
    return [(x + radius * math.cos(a), y + radius * squash * math.sin(a), 0.0) for a in angles]


def bar(x0: float, y0: float, x1: float, y1: float, width: float, end_width: float | None = None) -> list[Point]:
    """A straight bar from one point to another that faces the viewer, for limbs, frames and masts."""
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    across_x, across_y = -(y1 - y0) / length / 2, (x1 - x0) / length / 2
    end = width if end_width is None else end_width
    return [
        (x0 + across_x * width, y0 + across_y * width, 0.0),
        (x0 - across_x * width, y0 - across_y * width, 0.0),
        (x1 - across_x * end, y1 - across_y * end, 0.0),
        (x1 + across_x * end, y1 + across_y * end, 0.0),
    ]
