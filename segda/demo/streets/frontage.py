"""What lines a street: town houses, houses with gardens, glass blocks, walls, fences, hedges and the far skyline."""

from random import Random

import numpy as np

from segda.demo.streets import ids
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Item, Mesh, Point
from segda.demo.streets.road import FAR, Road

_FACADES = (Material.FACADE_BRICK, Material.FACADE_PLASTER, Material.FACADE_STONE, Material.FACADE_GLASS)


def _panel(road: Road, lateral: float, z0: float, z1: float, y0: float, y1: float) -> list[Point]:
    """An upright rectangle along the street that faces the road."""
    (xa, za), (xb, zb) = road.at(lateral, z0), road.at(lateral, z1)
    points = [(xa, y0, za), (xb, y0, zb), (xb, y1, zb), (xa, y1, za)]
    return points if lateral < 0 else [points[1], points[0], points[3], points[2]]


def _end(road: Road, lateral: float, depth: float, z: float, y0: float, y1: float) -> list[Point]:
    """The upright rectangle at the near end of a building, which faces the camera."""
    outer = lateral + depth if lateral > 0 else lateral - depth
    (xa, _), (xb, _) = road.at(min(lateral, outer), z), road.at(max(lateral, outer), z)
    return [(xa, y0, z), (xb, y0, z), (xb, y1, z), (xa, y1, z)]


def _finish(mesh: Mesh, road: Road, lateral: float, depth: float, span: tuple[float, float], height: float) -> Item:
    outer = lateral + depth if lateral > 0 else lateral - depth
    corners = [road.at(lateral, span[0]), road.at(outer, span[0]), road.at(outer, span[1]), road.at(lateral, span[1])]
    return Item(mesh, np.array(mesh.points), span[1], np.array(corners), height)


def town_house(random: Random, road: Road, lateral: float, span: tuple[float, float], height: float) -> Item:
    """A block of flats or offices, often with shops on the ground floor."""
    mesh, tone, label = Mesh(), random.random(), ids.BUILDING
    material = random.choices(_FACADES, (3, 4, 2, 1.2 if height > 14 else 0.2))[0]
    z0, z1 = span
    end_gain = random.uniform(0.85, 1.0)
    mesh.face(_end(road, lateral, 12.0, z0, 0.0, height), label, material, tone, end_gain)
    mesh.face(_panel(road, lateral, z0, z1, 0.0, height), label, material, tone)
    proud = lateral * (1 - 0.02 / abs(lateral))
    if random.random() < 0.55:
        shop_tone = random.random()
        mesh.detail(_panel(road, proud, z0, z1, 0.0, 3.3), label, Material.SHOP, shop_tone)
        z = z0 + 0.4
        while z + 2.5 < z1:
            if random.random() < 0.4:
                mesh.detail(_panel(road, proud, z, z + 2.6, 2.6, 3.2), label, Material.AWNING, random.random())
            z += 3.0
    else:
        mesh.detail(_panel(road, proud, z0, z1, 0.0, 0.6), label, Material.WALL_CONCRETE, tone, 0.7)
    door = random.uniform(z0 + 0.5, max(z1 - 1.8, z0 + 0.6))
    mesh.detail(_panel(road, proud, door, door + 1.2, 0.0, 2.4), label, Material.DOOR, random.random())
    cornice = _panel(road, proud, z0, z1, height - 0.5, height)
    mesh.detail(cornice, label, Material.WALL_CONCRETE, tone, random.uniform(0.7, 1.1))
    if random.random() < 0.35:
        rise = random.uniform(1.5, 3.0)
        (xa, za), (xb, zb) = road.at(lateral, z0), road.at(lateral, z1)
        inward = 3.0 if lateral > 0 else -3.0
        slope = [(xa, height, za), (xb, height, zb), (xb + inward, height + rise, zb), (xa + inward, height + rise, za)]
        mesh.face(slope if lateral < 0 else [slope[1], slope[0], slope[3], slope[2]], label, Material.ROOF, tone)
        back = 12.0 if lateral > 0 else -12.0
        top = height + rise
        gable = [(xa, height, z0), (xa + back, height, z0), (xa + back - inward, top, z0), (xa + inward, top, z0)]
        mesh.face(gable if back > 0 else [gable[1], gable[0], gable[3], gable[2]], label, material, tone, 0.9)
    return _finish(mesh, road, lateral, 12.0, span, height)


def cottage(random: Random, road: Road, lateral: float, span: tuple[float, float]) -> Item:
    """A low house with a pitched roof, set back from the street."""
    mesh, tone, label = Mesh(), random.random(), ids.BUILDING
    material = random.choice((Material.FACADE_BRICK, Material.FACADE_PLASTER))
    z0, z1 = span
    eaves = random.uniform(3.0, 6.2)
    depth, ridge = 8.0, eaves + random.uniform(1.8, 3.0)
    mesh.face(_end(road, lateral, depth, z0, 0.0, eaves), label, material, tone)
    sign = 1 if lateral > 0 else -1
    left, right = sorted((road.at(lateral, z0)[0], road.at(lateral + sign * depth, z0)[0]))
    mesh.detail([(left, eaves, z0), (right, eaves, z0), ((left + right) / 2, ridge, z0)], label, material, tone, 0.95)
    mesh.face(_panel(road, lateral, z0, z1, 0.0, eaves), label, material, tone)
    proud = lateral * (1 - 0.02 / abs(lateral))
    door = _panel(road, proud, (z0 + z1) / 2, (z0 + z1) / 2 + 1.1, 0.0, 2.2)
    mesh.detail(door, label, Material.DOOR, random.random())
    (xa, za), (xb, zb) = road.at(lateral - sign * 0.4, z0 - 0.3), road.at(lateral - sign * 0.4, z1 + 0.3)
    middle_a, middle_b = xa + sign * (depth / 2 + 0.4), xb + sign * (depth / 2 + 0.4)
    slope = [(xa, eaves - 0.2, za), (xb, eaves - 0.2, zb), (middle_b, ridge, zb), (middle_a, ridge, za)]
    mesh.stage = 1
    mesh.face(slope if sign < 0 else [slope[1], slope[0], slope[3], slope[2]], label, Material.ROOF, random.random())
    return _finish(mesh, road, lateral, depth, span, eaves)


def barrier(random: Random, road: Road, lateral: float, span: tuple[float, float], label: int) -> Item:
    """A free-standing wall, fence or guard rail along the street."""
    mesh, tone = Mesh(solid=False), random.random()
    z0, z1 = span
    if label == ids.WALL:
        height = random.uniform(1.6, 3.2)
        material = random.choice((Material.WALL_BRICK, Material.WALL_CONCRETE))
        mesh.face(_panel(road, lateral, z0, z1, 0.0, height), label, material, tone)
        mesh.detail(_panel(road, lateral, z0, z1, height - 0.16, height), label, Material.WALL_CONCRETE, tone, 1.15)
    elif label == ids.FENCE:
        height = random.uniform(1.2, 2.1)
        material = random.choice((Material.FENCE_WOOD, Material.FENCE_METAL))
        mesh.face(_panel(road, lateral, z0, z1, 0.0, height), label, material, tone)
    else:
        height = 0.8
        mesh.face(_panel(road, lateral, z0, z1, 0.35, height), label, Material.METAL, 0.1, 1.1)
    return _finish(mesh, road, lateral, 0.15, span, height)


def skyline(random: Random, left: float, right: float) -> Item:
    """Far roofs and tree tops that close the view along the horizon."""
    mesh = Mesh(solid=False)
    x = left
    while x < right:
        width = random.uniform(8.0, 26.0)
        if random.random() < 0.55:
            height = random.uniform(7.0, 24.0)
            points = [(x, 0.0, FAR), (x + width, 0.0, FAR), (x + width, height, FAR), (x, height, FAR)]
            mesh.face(points, ids.BUILDING, Material.SKYLINE, random.random())
        else:
            steps = 8
            tops = [(x + width * i / steps, random.uniform(6.0, 11.0), FAR) for i in range(steps, -1, -1)]
            points = [(x, 0.0, FAR), (x + width, 0.0, FAR), *tops]
            mesh.face(points, ids.VEGETATION, Material.LEAVES, random.random(), 0.8)
        x += width * random.uniform(0.7, 1.0)
    return Item(mesh, np.array(mesh.points), order=1e5)
