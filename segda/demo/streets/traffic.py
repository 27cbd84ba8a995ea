"""What moves in a street: cars, trucks, buses, trams, cycles and people."""

import math
from random import Random

from segda.demo.streets import figures, vehicles
from segda.demo.streets.layout import Layout, poisson
from segda.demo.streets.mesh import Item, place, stand
from segda.demo.streets.road import Road


def add_vehicles(
    items: list[Item], layout: Layout, road: Road, random: Random, ego: int, lanes: int, tram_lateral: float | None
) -> None:
    """Vehicles that drive: ahead in the camera's direction, and towards it in the lanes on the left."""
    # The distance up to which each lane is taken, so that no two vehicles overlap.
    taken = {lane: random.uniform(5.0, 12.0) + (4.0 if lane == ego else 0.0) for lane in range(lanes)}
    kinds = ["car"] * poisson(random, layout.driving)
    kinds += [kind for kind in ("truck", "bus") if random.random() < layout.heavy]
    if tram_lateral is not None:
        kinds.append("tram")
        if random.random() < 0.5:
            taken[0] += 10
    random.shuffle(kinds)
    for kind in kinds:
        lane = 0 if kind == "tram" else random.randrange(lanes)
        build = {"car": vehicles.car, "truck": vehicles.truck, "bus": vehicles.bus, "tram": vehicles.tram}[kind]
        mesh, size = build(random)
        z = taken[lane] + size[1] / 2
        if z > 70:
            continue
        taken[lane] = z + size[1] / 2 + random.uniform(3.0, 14.0)
        lateral = road.left + (lane + 0.5) * road.lane if kind != "tram" else tram_lateral or 0.0
        oncoming = lane < lanes // 2
        x, _ = road.at(lateral + random.uniform(-0.2, 0.2), z)
        items.append(place(mesh, x, z, road.heading(z) + (math.pi if oncoming else 0.0), size))


def _sidewalk(road: Road, random: Random) -> float:
    """A lateral position on either sidewalk."""
    out = random.uniform(0.6, 3.6)
    return road.left - out if random.random() < 0.5 else road.right + out


def add_cycles(items: list[Item], layout: Layout, road: Road, random: Random) -> None:
    """Bicycles and motorcycles: ridden on the road, parked on the sidewalks."""
    for _ in range(poisson(random, layout.cycles)):
        motor, ridden = random.random() < 0.42, random.random() < 0.62
        side = random.random() < (0.45 if ridden else 0.75)
        mesh, height = figures.cycle(random, motor=motor, side=side, ridden=ridden)
        z = 4.5 + 22 * random.random() ** 1.6
        edge = random.choice((road.left + 0.8, road.right - 0.8, random.uniform(road.left + 1, road.right - 1)))
        lateral = edge if ridden else _sidewalk(road, random)
        items.append(stand(mesh, *road.at(lateral, z), (0.7, 0.5, height)))


def add_people(items: list[Item], layout: Layout, road: Road, random: Random) -> None:
    """People on the sidewalks and on the crossings, alone or in pairs."""
    for _ in range(poisson(random, layout.people)):
        z = 4.5 + 32 * random.random() ** 1.5
        lateral = _sidewalk(road, random)
        if road.crossings and random.random() < 0.35:
            z, lateral = road.crossings[0] - 4 + random.uniform(-1, 1), random.uniform(road.left, road.right)
        for _ in range(random.choice((1, 1, 1, 2))):
            mesh, height = figures.person(random)
            scale = random.choice((1.0, 1.0, 0.95, 1.05, 0.7))
            mesh.points = [(x * scale, y * scale, depth) for x, y, depth in mesh.points]
            items.append(stand(mesh, *road.at(lateral, z), (0.5, 0.35, height * scale)))
            lateral += random.choice((-1, 1)) * random.uniform(0.55, 0.8)
