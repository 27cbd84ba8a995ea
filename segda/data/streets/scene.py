"""Scenes: which street, which things stand where, and where the camera is."""

import math
from dataclasses import dataclass
from random import Random

import numpy as np

from segda.data.streets import figures, frontage, furniture, ids, plants, vehicles
from segda.data.streets.material import Material
from segda.data.streets.mesh import Item, Mesh, place
from segda.data.streets.road import Ground, Road, mark_lanes, rails, side_street
from segda.data.streets.viewpoint import Viewpoint

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


@dataclass(frozen=True)
class Scene:
    """Everything that is drawn: the camera, and what it may see."""

    viewpoint: Viewpoint
    items: tuple[Item, ...]
    bonnet: bool


def make(layout: Layout, random: Random) -> Scene:
    """Make up a street."""
    lane = random.uniform(3.0, 3.6)
    lanes = random.randint(*layout.lanes)
    ego = random.randint(max(1, lanes // 2), lanes - 1)
    left = -(ego + 0.5) * lane + random.uniform(-0.3, 0.3)
    crossings = (random.uniform(18, 45),) if random.random() < 0.45 else ()
    road = Road(left, left + lanes * lane, random.uniform(-1, 1) * 0.0022, lane, crossings)
    viewpoint = Viewpoint(
        height=random.uniform(*layout.camera_height),
        pitch=math.radians(random.uniform(*layout.pitch)),
        yaw=math.radians(random.gauss(0, 3.5)) + road.heading(12.0),
        roll=math.radians(random.gauss(0, 0.6)),
        field_of_view=math.radians(random.uniform(*layout.field_of_view)),
    )
    suburb = random.random() < layout.suburb
    ground, items = Ground(), [frontage.skyline(random, -170, 170)]
    _lay_ground(ground, layout, road, random, suburb)
    tram_lateral = road.left + lane * 0.5 if random.random() < layout.tram else None
    if tram_lateral is not None:
        rails(ground, road, tram_lateral)
    for side in (-1, 1):
        edge = road.left if side < 0 else road.right
        _line_side(items, ground, layout, road, random, side, edge, suburb)
    _traffic(items, layout, road, random, ego, lanes, tram_lateral)
    _cycles(items, layout, road, random)
    _people(items, layout, road, random)
    items.append(ground.item())
    return Scene(viewpoint, tuple(items), layout.bonnet)


def _lay_ground(ground: Ground, layout: Layout, road: Road, random: Random, suburb: bool) -> None:
    label, material = (ids.TERRAIN, Material.GRASS) if suburb else (ids.SIDEWALK, Material.PAVING)
    tone = random.random()
    ground.add([(-400.0, 0, 390.0), (400.0, 0, 390.0), (400.0, 0, -2.0), (-400.0, 0, -2.0)], label, material, tone)
    for z in road.crossings:
        side_street(ground, road, z, 2 * road.lane)
    # The sidewalk's kerb lines end at a side street, which is drawn over them.
    for side, edge in ((-1, road.left), (1, road.right)):
        for start, end in _kerbs(road):
            _strip(ground, road, edge, side, (0.0, 7.2), (start, end), (ids.SIDEWALK, Material.PAVING, tone))
            _strip(ground, road, edge, side, (-0.05, 0.22), (start, end), (ids.SIDEWALK, Material.KERB, tone))
    ground.add(road.strip(road.left, road.right), ids.ROAD, Material.ASPHALT, random.random())
    if random.random() < 0.5:
        z, lateral = random.uniform(4, 25), random.uniform(road.left, road.right - 2)
        ground.add(road.strip(lateral, lateral + random.uniform(1, 3), z, z + random.uniform(2, 9)), ids.ROAD, Material.ASPHALT, 0.5, random.uniform(0.8, 1.12))
    mark_lanes(ground, road, random.random() * 0.8, random.random() < layout.yellow_lines)


def _kerbs(road: Road) -> list[tuple[float, float]]:
    stops = [-2.0]
    for z in road.crossings:
        stops += [z - road.lane, z + road.lane]
    stops.append(150.0)
    return list(zip(stops[::2], stops[1::2], strict=True))


def _strip(
    ground: Ground, road: Road, edge: float, side: int, out: Range, along: Range, look: tuple[int, Material, float]
) -> None:
    a, b = sorted((edge + side * out[0], edge + side * out[1]))
    ground.add(road.strip(a, b, *along), look[0], look[1], look[2])


def _line_side(
    items: list[Item], ground: Ground, layout: Layout, road: Road, random: Random, side: int, edge: float, suburb: bool
) -> None:
    """One side of the street: verge or parking bay, kerb furniture, trees, and the front of houses behind."""
    verge = random.choices(("none", "grass", "parking"), (6, 3 if suburb else 1.5, 2))[0]
    # Parked cars stand in the bay where there is one, else on the road's edge.
    bay = 0.0
    if verge == "parking":
        bay = 2.3
        for along in _kerbs(road):
            _strip(ground, road, edge, side, (0.0, bay), (along[0], along[1]), (ids.PARKING, Material.COBBLES, 0.4))
    elif verge == "grass":
        bay = random.uniform(1.2, 2.6)
        for along in _kerbs(road):
            _strip(ground, road, edge, side, (0.25, bay), (along[0], along[1]), (ids.TERRAIN, Material.GRASS, random.random()))
    front = edge + side * (bay + random.uniform(3.6, 7.0))
    _fronts(items, ground, layout, road, random, side, front, suburb)
    parked = layout.parked * random.uniform(0.2, 1.6)
    # Where the camera's own lane has the kerb, nobody parks just ahead of it.
    z = random.uniform(1.0, 6.0) + (0.0 if verge == "parking" or abs(edge) > 3.0 else 8.0)
    while z < 75 and verge != "grass":
        if random.random() < parked and _free(road, z):
            mesh, size = vehicles.car(random)
            lateral = edge + side * (1.15 if verge == "parking" else -1.0)
            x, _ = road.at(lateral + random.uniform(-0.12, 0.12), z)
            heading = road.heading(z) + random.gauss(0, 0.03) + (math.pi if side < 0 and random.random() < 0.7 else 0)
            items.append(place(mesh, x, z, heading, shadow=size))
        z += random.uniform(5.4, 7.0)
    _kerbside(items, layout, road, random, side, edge + side * (bay + 0.5), suburb)


def _free(road: Road, z: float) -> bool:
    return all(abs(z - crossing) > 9 for crossing in road.crossings)


def _towards(x: float, z: float) -> float:
    """The heading that turns a flat figure at (x, z) towards the camera."""
    return math.atan2(x, max(z, 0.1))


def _stand(items: list[Item], mesh: Mesh, x: float, z: float, shadow: tuple[float, float, float] | None) -> None:
    items.append(place(mesh, x, z, _towards(x, z), shadow=shadow))


def _kerbside(
    items: list[Item], layout: Layout, road: Road, random: Random, side: int, lateral: float, suburb: bool
) -> None:
    z, spacing = random.uniform(4.0, 14.0), random.uniform(14, 24)
    while z < 85:
        if _free(road, z):
            _stand(items, furniture.lamp_post(random, -side), *road.at(lateral, z), (0.2, 0.2, 6.0))
        z += spacing
    z = random.uniform(5.0, 12.0)
    likely = layout.trees * random.uniform(0.3, 1.5)
    while z < 90:
        if random.random() < likely and _free(road, z):
            mesh, size = plants.tree(random)
            _stand(items, mesh, *road.at(lateral + side * random.uniform(0.1, 0.8), z), size)
        elif random.random() < 0.12:
            _stand(items, furniture.post(random), *road.at(lateral, z), (0.15, 0.15, 1.0))
        z += random.uniform(5.0, 9.0)
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        z = random.uniform(6.0, 32.0)
        _stand(items, furniture.traffic_sign(random), *road.at(lateral + side * random.uniform(-0.2, 0.3), z), None)
    for crossing in road.crossings:
        for near in (True, False):
            if random.random() < 0.85:
                light = furniture.traffic_light(random, -side, arm=random.random() < 0.45, front=random.random() < 0.8)
                z = crossing + (-4.0 if near else 5.0)
                _stand(items, light, *road.at(lateral + random.uniform(-0.2, 0.2), z), (0.3, 0.3, 3.0))
    if not road.crossings and random.random() < 0.3:
        light = furniture.traffic_light(random, -side, arm=random.random() < 0.5, front=True)
        _stand(items, light, *road.at(lateral, random.uniform(10, 26)), (0.3, 0.3, 3.0))
    for _ in range(_poisson(random, layout.clutter / 2)):
        z = random.uniform(4.0, 30.0)
        mesh, size = furniture.clutter(random)
        x, z = road.at(lateral + side * random.uniform(0.2, 1.6), z)
        items.append(place(mesh, x, z, road.heading(z) + math.pi / 2, shadow=size))


def _fronts(
    items: list[Item], ground: Ground, layout: Layout, road: Road, random: Random, side: int, front: float, suburb: bool
) -> None:
    """Houses, gardens, walls and fences behind the sidewalk, from beside the camera to the far end."""
    z, usual = -4.0, random.uniform(*layout.building_height)
    while z < 125:
        length = random.uniform(7.0, 15.0)
        crossing = next((c for c in road.crossings if z - 5.9 < c < z + length + 6), None)
        if crossing is not None:
            if crossing - 6 - z > 4:
                items.append(frontage.town_house(random, road, front, (z, crossing - 6), usual * random.uniform(0.75, 1.25)))
            z = crossing + 6
            continue
        kind = random.choices(
            ("house", "cottage", "wall", "fence", "hedge", "park"), (1.5, 4, 2.2, 2.6, 1.4, 1.8) if suburb else (8, 0.3, 2.6, 1.6, 0.4, 0.7)
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
            _stand(items, mesh, *road.at(front + side * 0.4, float(z)), (2.4, 0.8, 1.2))
    for _ in range(random.randint(1, 3)):
        mesh, size = plants.tree(random)
        x, z = road.at(front + side * random.uniform(2.0, 14.0), random.uniform(*span))
        items.append(place(mesh, x, z, _towards(x, z), order=z, shadow=size))


def _traffic(
    items: list[Item], layout: Layout, road: Road, random: Random, ego: int, lanes: int, tram_lateral: float | None
) -> None:
    """Vehicles that drive: ahead in the camera's direction, and towards it in the lanes on the left."""
    # The distance at which each lane is taken up to, so that no two vehicles overlap.
    taken = {lane: random.uniform(5.0, 12.0) + (4.0 if lane == ego else 0.0) for lane in range(lanes)}
    wanted = ["car"] * _poisson(random, layout.driving)
    wanted += [kind for kind in ("truck", "bus") if random.random() < layout.heavy]
    if tram_lateral is not None:
        wanted.append("tram")
        if random.random() < 0.5:
            taken[0] += 10
    random.shuffle(wanted)
    for kind in wanted:
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
        items.append(place(mesh, x, z, road.heading(z) + (math.pi if oncoming else 0.0), shadow=size))


def _poisson(random: Random, mean: float) -> int:
    count, product, limit = 0, random.random(), math.exp(-mean)
    while product > limit:
        count, product = count + 1, product * random.random()
    return count


def _sidewalk(road: Road, random: Random) -> float:
    """A lateral place on either sidewalk."""
    out = random.uniform(0.6, 3.6)
    return road.left - out if random.random() < 0.5 else road.right + out


def _cycles(items: list[Item], layout: Layout, road: Road, random: Random) -> None:
    for _ in range(_poisson(random, layout.cycles)):
        motor, ridden = random.random() < 0.42, random.random() < 0.62
        mesh, height = figures.cycle(random, motor=motor, side=random.random() < (0.45 if ridden else 0.75), ridden=ridden)
        z = 4.5 + 22 * random.random() ** 1.6
        edge = random.choice((road.left + 0.8, road.right - 0.8, random.uniform(road.left + 1, road.right - 1)))
        lateral = edge if ridden else _sidewalk(road, random)
        _stand(items, mesh, *road.at(lateral, z), (0.7, 0.5, height))


def _people(items: list[Item], layout: Layout, road: Road, random: Random) -> None:
    for _ in range(_poisson(random, layout.people)):
        z = 4.5 + 32 * random.random() ** 1.5
        lateral = _sidewalk(road, random)
        if road.crossings and random.random() < 0.35:
            z, lateral = road.crossings[0] - 4 + random.uniform(-1, 1), random.uniform(road.left, road.right)
        for _ in range(random.choice((1, 1, 1, 2))):
            mesh, height = figures.person(random)
            scale = random.choice((1.0, 1.0, 0.95, 1.05, 0.7))
            mesh.points = [(x * scale, y * scale, depth) for x, y, depth in mesh.points]
            _stand(items, mesh, *road.at(lateral, z), (0.5, 0.35, height * scale))
            lateral += random.choice((-1, 1)) * random.uniform(0.55, 0.8)
