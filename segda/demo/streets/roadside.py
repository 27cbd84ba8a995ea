"""The sides of a street: verges, parked cars, lamps, trees and signs, and the houses and gardens behind."""

import math
from random import Random

import numpy as np

from segda.demo.streets import frontage, furniture, ids, plants, vehicles
from segda.demo.streets.layout import Layout, Range, poisson
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Item, place, stand
from segda.demo.streets.road import Ground, Road


def line_side(
    items: list[Item], ground: Ground, layout: Layout, road: Road, random: Random, side: int, edge: float, suburb: bool
) -> None:
    """One side of the street: verge or parking bay, kerb furniture, trees, and the front of houses behind."""
    verge = random.choices(("none", "grass", "parking"), (6, 3 if suburb else 1.5, 2))[0]
    # Parked cars stand in the bay where there is one, else on the road's edge.
    bay = 0.0
    if verge == "parking":
        bay = 2.3
        for along in road.kerbs():
            ground.strip(road, edge, side, (0.0, bay), along, (ids.PARKING, Material.COBBLES, 0.4))
    elif verge == "grass":
        bay = random.uniform(1.2, 2.6)
        for along in road.kerbs():
            ground.strip(road, edge, side, (0.25, bay), along, (ids.TERRAIN, Material.GRASS, random.random()))
    front = edge + side * (bay + random.uniform(3.6, 7.0))
    _fronts(items, ground, layout, road, random, side, front, suburb)
    parked = layout.parked * random.uniform(0.2, 1.6)
    # Where the camera's own lane has the kerb, nobody parks just ahead of it.
    z = random.uniform(1.0, 6.0) + (0.0 if verge == "parking" or abs(edge) > 3.0 else 8.0)
    while z < 75 and verge != "grass":
        if random.random() < parked and road.free(z):
            mesh, size = vehicles.car(random)
            lateral = edge + side * (1.15 if verge == "parking" else -1.0)
            x, _ = road.at(lateral + random.uniform(-0.12, 0.12), z)
            heading = road.heading(z) + random.gauss(0, 0.03) + (math.pi if side < 0 and random.random() < 0.7 else 0)
            items.append(place(mesh, x, z, heading, size))
        z += random.uniform(5.4, 7.0)
    _kerbside(items, layout, road, random, side, edge + side * (bay + 0.5), suburb)


def _kerbside(
    items: list[Item], layout: Layout, road: Road, random: Random, side: int, lateral: float, suburb: bool
) -> None:
    z, spacing = random.uniform(4.0, 14.0), random.uniform(14, 24)
    while z < 85:
        if road.free(z):
            items.append(stand(furniture.lamp_post(random, -side), *road.at(lateral, z), (0.2, 0.2, 6.0)))
        z += spacing
    z = random.uniform(5.0, 12.0)
    likely = layout.trees * random.uniform(0.3, 1.5)
    while z < 90:
        if random.random() < likely and road.free(z):
            mesh, size = plants.tree(random)
            items.append(stand(mesh, *road.at(lateral + side * random.uniform(0.1, 0.8), z), size))
        elif random.random() < 0.12:
            items.append(stand(furniture.post(random), *road.at(lateral, z), (0.15, 0.15, 1.0)))
        z += random.uniform(5.0, 9.0)
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        z = random.uniform(6.0, 32.0)
        sign = furniture.traffic_sign(random)
        items.append(stand(sign, *road.at(lateral + side * random.uniform(-0.2, 0.3), z), None))
    for crossing in road.crossings:
        for near in (True, False):
            if random.random() < 0.85:
                light = furniture.traffic_light(random, -side, arm=random.random() < 0.45, front=random.random() < 0.8)
                z = crossing + (-4.0 if near else 5.0)
                items.append(stand(light, *road.at(lateral + random.uniform(-0.2, 0.2), z), (0.3, 0.3, 3.0)))
    if not road.crossings and random.random() < 0.3:
        light = furniture.traffic_light(random, -side, arm=random.random() < 0.5, front=True)
        items.append(stand(light, *road.at(lateral, random.uniform(10, 26)), (0.3, 0.3, 3.0)))
    for _ in range(poisson(random, layout.clutter / 2)):
        z = random.uniform(4.0, 30.0)
        mesh, size = furniture.clutter(random)
        x, z = road.at(lateral + side * random.uniform(0.2, 1.6), z)
        items.append(place(mesh, x, z, road.heading(z) + math.pi / 2, size))


def _fronts(
    items: list[Item], ground: Ground, layout: Layout, road: Road, random: Random, side: int, front: float, suburb: bool
) -> None:
    """Houses, gardens, walls and fences behind the sidewalk, from next to the camera to the far end."""
    z, usual = -4.0, random.uniform(*layout.building_height)
    while z < 125:
        length = random.uniform(7.0, 15.0)
        crossing = next((c for c in road.crossings if z - 5.9 < c < z + length + 6), None)
        if crossing is not None:
            if crossing - 6 - z > 4:
                height = usual * random.uniform(0.75, 1.25)
                items.append(frontage.town_house(random, road, front, (z, crossing - 6), height))
            z = crossing + 6
            continue
        kind = random.choices(
            ("house", "cottage", "wall", "fence", "hedge", "park"),
            (1.5, 4, 2.2, 2.6, 1.4, 1.8) if suburb else (8, 0.3, 2.6, 1.6, 0.4, 0.7),
        )[0]
        span = (z, z + length)
        if kind == "house":
            items.append(frontage.town_house(random, road, front, span, usual * random.uniform(0.75, 1.25)))
        else:
            _garden(items, ground, road, random, side, front, span, kind)
        z += length + (random.uniform(0, 3) if suburb else 0.0)


def _garden(
    items: list[Item], ground: Ground, road: Road, random: Random, side: int, front: float, span: Range, kind: str
) -> None:
    a, b = sorted((front, front + side * 40))
    ground.add(road.strip(a, b, *span), ids.TERRAIN, Material.GRASS, random.random())
    set_back = front + side * random.uniform(4.0, 7.0)
    if kind == "cottage" or (kind in ("fence", "hedge") and random.random() < 0.6):
        items.append(frontage.cottage(random, road, set_back, (span[0] + 0.5, span[1] - 0.5)))
    if kind in ("wall", "fence") or (kind == "cottage" and random.random() < 0.4):
        label = ids.WALL if kind == "wall" else ids.FENCE
        items.append(frontage.barrier(random, road, front, span, label))
    elif kind == "park" and random.random() < 0.25:
        items.append(frontage.barrier(random, road, front, span, ids.GUARD_RAIL))
    elif kind == "hedge":
        for z in np.arange(span[0] + 1, span[1], 2.6):
            mesh = plants.bush(random, 2.9, random.uniform(1.1, 1.7))
            items.append(stand(mesh, *road.at(front + side * 0.4, float(z)), (2.4, 0.8, 1.2)))
    for _ in range(random.randint(1, 3)):
        mesh, size = plants.tree(random)
        x, z = road.at(front + side * random.uniform(2.0, 14.0), random.uniform(*span))
        items.append(stand(mesh, x, z, size))
