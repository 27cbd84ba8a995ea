"""Trees, bushes and hedges: leafy outlines turned towards the camera."""

import math
from random import Random

from segda.demo.streets import ids
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Mesh, Point, bar, outline


def _leafy(x: float, y: float, radius: float, random: Random, squash: float = 1.0, ragged: float = 0.2) -> list[Point]:
    points: list[Point] = []
    for i in range(16):
        angle, reach = 2 * math.pi * i / 16, radius * (1 + ragged * (random.random() * 2 - 1))
        points.append((x + reach * math.cos(angle), max(y + reach * squash * math.sin(angle), 0.0), 0.0))
    return points


def tree(random: Random) -> tuple[Mesh, tuple[float, float, float]]:
    """A broad, tall or conical tree; returns the mesh and the crown's width, depth and the tree's height."""
    mesh, label, tone = Mesh(solid=False), ids.VEGETATION, random.random()
    kind = random.choices(("broad", "tall", "cone"), (5, 3, 1.5))[0]
    height = random.uniform(5.0, 9.5)
    crown = height * {"broad": 0.34, "tall": 0.2, "cone": 0.22}[kind]
    base = height * (0.3 if kind != "cone" else 0.12)
    thick = random.uniform(0.24, 0.42)
    mesh.face(bar(0, 0, random.uniform(-0.1, 0.1), base * 1.6, thick, thick * 0.7), label, Material.BARK, tone)
    if kind == "cone":
        for i in range(4):
            low, wide = base + (height - base) * i / 4.6, crown * (1 - i / 4.6)
            tier = outline(
                (-wide, low), (-wide * 0.4, low - 0.15), (0.0, low + 0.1), (wide * 0.5, low - 0.15), (wide, low),
                (0.0, low + (height - base) * 0.36),
            )  # fmt: skip
            mesh.face(tier, label, Material.LEAVES, tone, 0.72 + 0.1 * i)
        return mesh, (2 * crown, 2 * crown, height)
    for side in (-1, 1):
        branch = bar(0, base * 1.1, side * crown * 0.5, base * 1.8, thick * 0.6, thick * 0.3)
        mesh.face(branch, label, Material.BARK, tone)
    middle, squash = (base + height) / 2, (height - base) / 2 / crown
    mesh.face(_leafy(0, middle, crown * 0.95, random, squash), label, Material.LEAVES, tone, 0.7)
    blobs = random.randint(6, 9)
    for i in range(blobs):
        angle, out = random.uniform(0, 2 * math.pi), random.uniform(0.35, 0.62)
        x, y = math.cos(angle) * crown * out, middle + math.sin(angle) * crown * out * squash
        gain = 0.8 + 0.28 * (y - base) / (height - base) + 0.1 * i / blobs
        mesh.face(_leafy(x, y, crown * random.uniform(0.36, 0.52), random), label, Material.LEAVES, tone, gain)
    return mesh, (2 * crown, 2 * crown, height)


def bush(random: Random, width: float, height: float) -> Mesh:
    """A bush or a stretch of hedge that faces the viewer."""
    mesh, tone = Mesh(solid=False), random.random()
    count = max(2, round(width / height * 1.3))
    for row, gain in ((0.62, 0.78), (0.38, 0.95)):
        for i in range(count):
            x = (i + 0.5) / count * width - width / 2 + random.uniform(-0.1, 0.1)
            size = height * random.uniform(0.42, 0.56)
            leaves = _leafy(x, height * row * random.uniform(0.8, 1.05), size, random)
            mesh.face(leaves, ids.VEGETATION, Material.LEAVES, tone, gain)
    return mesh
