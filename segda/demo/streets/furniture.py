"""What stands along a street: lamp posts, traffic lights, signs, bins and boxes."""

import math
from random import Random

from segda.demo.streets import ids
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Mesh, bar, disc, outline, upright


def lamp_post(random: Random, towards: float) -> Mesh:
    """A street lamp whose arm reaches over the road; `towards` is +1 to the right, -1 to the left."""
    mesh, height = Mesh(solid=False), random.uniform(5.5, 8.5)
    tone, reach = random.random(), towards * random.uniform(1.0, 2.2)
    mesh.face(bar(0, 0, 0, height, 0.26, 0.17), ids.POLE, Material.METAL, tone)
    mesh.face(bar(-0.03 * towards, height - 0.05, reach, height + 0.35, 0.14), ids.POLE, Material.METAL, tone)
    lamp = bar(reach, height + 0.35, reach + 0.55 * towards, height + 0.33, 0.2)
    mesh.face(lamp, ids.POLE, Material.METAL, tone, 0.8)
    mesh.face(upright(-0.2, 0.2, 0, 0.7), ids.POLE, Material.METAL, tone, 0.85)
    return mesh


def post(random: Random) -> Mesh:
    """A plain post: a bollard, or a mast of wood or steel."""
    mesh = Mesh(solid=False)
    height = random.choice((0.95, 1.1, 5.0, 7.5))
    mesh.face(bar(0, 0, 0, height, 0.18 if height < 2 else 0.24), ids.POLE, Material.METAL, random.random())
    return mesh


def _housing(mesh: Mesh, x: float, y: float, lit: int, scale: float, front: bool) -> None:
    """A traffic light's box with its bottom at `y`; from behind no lamp shows."""
    label = ids.TRAFFIC_LIGHT
    mesh.face(upright(x - 0.24 * scale, x + 0.24 * scale, y, y + 1.25 * scale), label, Material.HOUSING)
    for i, material in enumerate((Material.LAMP_GREEN, Material.LAMP_AMBER, Material.LAMP_RED)):
        if front:
            lamp = material if i == lit else Material.LAMP_DARK
            mesh.detail(disc(x, y + (0.24 + 0.39 * i) * scale, 0.16 * scale, corners=8), label, lamp, 0.3 * i)


def traffic_light(random: Random, towards: float, *, arm: bool, front: bool) -> Mesh:
    """A traffic light on a post, with another one on an arm over the road when `arm`."""
    mesh, lit, tone = Mesh(solid=False), random.randrange(3), random.random()
    height = 5.6 if arm else 2.4
    mesh.face(bar(0, 0, 0, height, 0.22), ids.POLE, Material.METAL, tone)
    if arm:
        reach = towards * random.uniform(2.6, 4.2)
        mesh.face(bar(0, height - 0.1, reach, height, 0.17), ids.POLE, Material.METAL, tone)
        _housing(mesh, reach, height - 1.1, lit, 1.1, front)
    _housing(mesh, 0.0, 2.3, lit, 1.0, front)
    return mesh


def traffic_sign(random: Random) -> Mesh:
    """One or two plates on a post, or a direction board."""
    mesh, tone, label = Mesh(solid=False), random.random(), ids.TRAFFIC_SIGN
    kind = random.choices(("round", "triangle", "square", "diamond", "octagon", "board"), (3, 3, 3, 1.5, 1, 1.5))[0]
    if kind == "board":
        width, low, high = random.uniform(1.4, 2.6), 2.2, random.uniform(3.4, 4.2)
        for x in (-width * 0.4, width * 0.4):
            mesh.face(bar(x, 0, x, high, 0.14), ids.POLE, Material.METAL, tone)
        colour = random.choice((Material.SIGN_BLUE, Material.SIGN_YELLOW))
        mesh.face(upright(-width / 2, width / 2, low, high), label, colour)
        for y in (low + 0.3, low + 0.75):
            mesh.detail(upright(-width * 0.38, width * 0.1, y, y + 0.18), label, Material.SIGN_WHITE)
        return mesh
    y, size = random.uniform(2.3, 2.8), random.uniform(0.36, 0.48)
    mesh.face(bar(0, 0, 0, y + size, 0.13), ids.POLE, Material.METAL, tone)
    _plate(mesh, kind, y, size, random)
    if random.random() < 0.3:
        mesh.face(upright(-size * 0.9, size * 0.9, y - size - 0.5, y - size - 0.12), label, Material.SIGN_WHITE)
    return mesh


def _plate(mesh: Mesh, kind: str, y: float, size: float, random: Random) -> None:
    label = ids.TRAFFIC_SIGN
    if kind == "round":
        mesh.face(disc(0, y, size), label, random.choice((Material.SIGN_RED, Material.SIGN_BLUE)))
        mesh.detail(disc(0, y, size * 0.68), label, Material.SIGN_WHITE)
        mesh.detail(upright(-size * 0.3, size * 0.3, y - size * 0.25, y + size * 0.25), label, Material.HOUSING)
    elif kind == "triangle":
        for scale, material in ((1.25, Material.SIGN_RED), (0.75, Material.SIGN_WHITE)):
            angles = (math.pi / 2, math.pi * 7 / 6, math.pi * 11 / 6)
            points = [(size * scale * math.cos(a), y + size * scale * math.sin(a), 0.0) for a in angles]
            mesh.face(points, label, material)
    elif kind == "square":
        mesh.face(upright(-size, size, y - size, y + size), label, Material.SIGN_BLUE)
        mesh.detail(bar(0, y - size * 0.6, 0, y + size * 0.5, size * 0.4), label, Material.SIGN_WHITE)
    elif kind == "diamond":
        for scale, material in ((1.2, Material.SIGN_WHITE), (0.95, Material.SIGN_YELLOW)):
            s = size * scale
            mesh.face(outline((0, y - s), (s, y), (0, y + s), (-s, y)), label, material)
    else:
        mesh.face(disc(0, y, size * 1.1, corners=8), label, Material.SIGN_RED)
        mesh.detail(upright(-size * 0.7, size * 0.7, y - size * 0.15, y + size * 0.2), label, Material.SIGN_WHITE)


def clutter(random: Random) -> tuple[Mesh, tuple[float, float, float]]:
    """A bin, a switch box or a bench, labelled static, or a skip or a pram, labelled dynamic; and its size."""
    mesh = Mesh()
    moving = random.random() < 0.4
    width, height, depth = (
        (1.2, 1.0, 0.7) if moving else random.choice(((0.5, 0.95, 0.5), (1.1, 1.2, 0.45), (1.6, 0.5, 0.5)))
    )
    tone = random.random()
    label = ids.DYNAMIC if moving else ids.STATIC
    mesh.box((-width / 2, 0, -depth / 2), (width / 2, height, depth / 2), label, Material.PLASTIC, tone)
    return mesh, (width, depth, height)
