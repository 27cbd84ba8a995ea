"""Scenes: which street, which things stand where, and where the camera is."""

import math
from dataclasses import dataclass
from random import Random

from segda.demo.streets import frontage, ids
from segda.demo.streets.layout import Layout
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Item
from segda.demo.streets.road import Ground, Road, mark_lanes, rails, side_street
from segda.demo.streets.roadside import line_side
from segda.demo.streets.traffic import add_cycles, add_people, add_vehicles
from segda.demo.streets.viewpoint import Viewpoint


@dataclass(frozen=True)
class Scene:
    """Everything that is drawn, and the camera."""

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
        line_side(items, ground, layout, road, random, side, edge, suburb)
    add_vehicles(items, layout, road, random, ego, lanes, tram_lateral)
    add_cycles(items, layout, road, random)
    add_people(items, layout, road, random)
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
        for start, end in road.kerbs():
            ground.strip(road, edge, side, (0.0, 7.2), (start, end), (ids.SIDEWALK, Material.PAVING, tone))
            ground.strip(road, edge, side, (-0.05, 0.22), (start, end), (ids.SIDEWALK, Material.KERB, tone))
    ground.add(road.strip(road.left, road.right), ids.ROAD, Material.ASPHALT, random.random())
    if random.random() < 0.5:
        z, lateral = random.uniform(4, 25), random.uniform(road.left, road.right - 2)
        patch = road.strip(lateral, lateral + random.uniform(1, 3), z, z + random.uniform(2, 9))
        ground.add(patch, ids.ROAD, Material.ASPHALT, 0.5, random.uniform(0.8, 1.12))
    mark_lanes(ground, road, random.random() * 0.8, random.random() < layout.yellow_lines)
