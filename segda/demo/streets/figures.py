"""People, riders, bicycles and motorcycles: flat figures that are turned towards the camera."""

import math
from random import Random

from segda.demo.streets import ids
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Mesh, Point, bar, disc, outline, upright


def _head(mesh: Mesh, label: int, x: float, y: float, random: Random, helmet: bool) -> None:
    skin, hair = random.random(), random.random()
    mesh.face(disc(x, y, 0.115, corners=8, squash=1.25), label, Material.SKIN, skin)
    cap = [(x + 0.125 * math.cos(a), y + 0.03 + 0.15 * math.sin(a), 0.0) for a in (0.0, 0.6, 1.2, 1.9, 2.5, math.pi)]
    mesh.face(cap, label, Material.CYCLE_PAINT if helmet else Material.HAIR, hair)


def person(random: Random) -> tuple[Mesh, float]:
    """A person who stands or walks; returns the figure and its height in metres."""
    mesh, label = Mesh(solid=False), ids.PERSON
    stride, lean = random.uniform(0.03, 0.3), random.uniform(-0.04, 0.04)
    upper, lower, skin = random.random(), random.random(), random.random()
    broad = random.uniform(0.2, 0.27)
    skirt = random.random() < 0.22
    for side in (1, -1):
        knee, foot = side * stride * 0.55, side * stride - 0.08 * (side < 0)
        cloth, gain = (Material.SKIN, 0.85) if skirt else (Material.LOWER_CLOTH, 1.0 if side < 0 else 0.8)
        mesh.face(bar(side * 0.07, 0.9, knee + side * 0.04, 0.47, 0.19, 0.15), label, cloth, lower, gain)
        mesh.face(bar(knee + side * 0.04, 0.49, foot + side * 0.04, 0.05, 0.15, 0.11), label, cloth, lower, gain)
        mesh.face(bar(foot - 0.03, 0.04, foot + 0.15, 0.04, 0.09), label, Material.HAIR, 0.0)
    if skirt:
        mesh.face(outline((-0.17, 0.92), (-0.26, 0.5), (0.26, 0.5), (0.17, 0.92)), label, Material.UPPER_CLOTH, lower)
    swing = stride * 0.6
    mesh.face(bar(-broad + 0.03, 1.4, -broad - swing * 0.6, 0.86, 0.11), label, Material.UPPER_CLOTH, upper, 0.8)
    torso = outline(
        (-broad + 0.05, 0.86), (broad - 0.05, 0.86), (broad + lean, 1.38), (0.09 + lean, 1.5), (-0.09 + lean, 1.5),
        (-broad + lean, 1.38),
    )  # fmt: skip
    mesh.face(torso, label, Material.UPPER_CLOTH, upper)
    mesh.face(bar(broad - 0.03, 1.4, broad + swing * 0.6, 0.86, 0.11), label, Material.UPPER_CLOTH, upper, 0.9)
    mesh.face(disc(broad + swing * 0.6, 0.83, 0.05, corners=6), label, Material.SKIN, skin)
    if random.random() < 0.3:
        mesh.face(bar(broad + 0.06, 1.05, broad + 0.06, 0.72, 0.24), label, Material.LOWER_CLOTH, random.random())
    mesh.face(bar(lean, 1.46, lean, 1.56, 0.1), label, Material.SKIN, skin, 0.8)
    _head(mesh, label, lean, 1.63, random, helmet=False)
    return mesh, 1.78


def _ring(x: float, y: float, radius: float, inner: float) -> list[Point]:
    """A wheel rim: out along the outer circle and back along the inner one."""
    angles = [2 * math.pi * i / 14 for i in range(15)]
    outer = [(x + radius * math.cos(a), y + radius * math.sin(a), 0.0) for a in angles]
    return outer + [(x + inner * math.cos(a), y + inner * math.sin(a), 0.0) for a in reversed(angles)]


def _bicycle_side(mesh: Mesh, tone: float) -> None:
    label, paint = ids.BICYCLE, Material.CYCLE_PAINT
    for x in (-0.54, 0.54):
        mesh.face(disc(x, 0.35, 0.34, corners=14), label, Material.SPOKES)
        mesh.face(_ring(x, 0.35, 0.36, 0.27), label, Material.TYRE)
    for x0, y0, x1, y1 in (
        (-0.54, 0.35, -0.05, 0.32),
        (-0.54, 0.35, -0.2, 0.85),
        (-0.05, 0.32, -0.2, 0.85),
        (-0.05, 0.32, 0.4, 0.82),
        (-0.18, 0.8, 0.4, 0.82),
        (0.54, 0.35, 0.38, 0.98),
    ):
        mesh.face(bar(x0, y0, x1, y1, 0.075), label, paint, tone)
    mesh.face(bar(-0.34, 0.93, -0.08, 0.93, 0.09), label, Material.TYRE)
    mesh.face(bar(0.22, 1.0, 0.42, 1.0, 0.07), label, Material.TYRE)


def _bicycle_back(mesh: Mesh, tone: float) -> None:
    label = ids.BICYCLE
    mesh.face(bar(0, 0, 0, 0.7, 0.1), label, Material.TYRE)
    mesh.face(bar(0, 0.55, 0, 0.95, 0.13), label, Material.CYCLE_PAINT, tone)
    mesh.face(bar(-0.11, 0.95, 0.11, 0.95, 0.11), label, Material.TYRE)
    mesh.face(bar(-0.3, 1.02, 0.3, 1.02, 0.06), label, Material.RIM)
    mesh.face(disc(0, 0.62, 0.06, corners=6), label, Material.TAILLIGHT)
    mesh.face(bar(-0.2, 0.3, 0.2, 0.3, 0.06), label, Material.TYRE)


def _motorcycle_side(mesh: Mesh, tone: float) -> None:
    label, paint = ids.MOTORCYCLE, Material.CYCLE_PAINT
    for x in (-0.68, 0.68):
        mesh.face(disc(x, 0.33, 0.33, corners=14), label, Material.TYRE)
        mesh.face(disc(x, 0.33, 0.17, corners=10), label, Material.RIM)
    mesh.face(bar(0.68, 0.33, 0.38, 1.02, 0.11), label, Material.RIM)
    mesh.face(outline((-0.4, 0.3), (0.3, 0.25), (0.42, 0.6), (-0.5, 0.62)), label, Material.TRIM)
    mesh.face(bar(-0.1, 0.3, -0.95, 0.38, 0.12), label, Material.RIM)
    body = outline(
        (-0.9, 0.72), (-0.55, 0.55), (0.4, 0.58), (0.55, 0.85), (0.35, 0.98), (0.0, 0.9), (-0.4, 0.78), (-0.85, 0.85)
    )  # fmt: skip
    mesh.face(body, label, paint, tone)
    mesh.face(outline((-0.8, 0.8), (-0.1, 0.76), (0.0, 0.9), (-0.75, 0.92)), label, Material.TYRE)
    mesh.face(outline((0.35, 0.8), (0.6, 0.75), (0.5, 1.15), (0.38, 1.1)), label, paint, tone, 1.1)
    mesh.face(bar(0.25, 1.06, 0.45, 1.02, 0.07), label, Material.TYRE)
    mesh.face(disc(0.6, 0.85, 0.09, corners=8), label, Material.HEADLIGHT)


def _motorcycle_back(mesh: Mesh, tone: float) -> None:
    label, paint = ids.MOTORCYCLE, Material.CYCLE_PAINT
    mesh.face(bar(0, 0, 0, 0.66, 0.2), label, Material.TYRE)
    mesh.face(bar(0.2, 0.25, 0.24, 0.5, 0.14), label, Material.RIM)
    body = outline((-0.22, 0.45), (0.22, 0.45), (0.26, 0.85), (0.14, 0.98), (-0.14, 0.98), (-0.26, 0.85))
    mesh.face(body, label, paint, tone)
    mesh.face(bar(-0.42, 1.05, 0.42, 1.05, 0.08), label, Material.TRIM)
    for x in (-0.42, 0.42):
        mesh.face(disc(x, 1.18, 0.08, corners=8), label, Material.TRIM)
    mesh.face(bar(-0.12, 0.7, 0.12, 0.7, 0.11), label, Material.TAILLIGHT)
    mesh.face(bar(-0.1, 0.52, 0.1, 0.52, 0.12), label, Material.SIGN_WHITE)


def _rider_side(mesh: Mesh, seat: float, random: Random) -> None:
    label = ids.RIDER
    upper, lower, skin = random.random(), random.random(), random.random()
    hip, shoulder = (-0.2, seat), (0.12, seat + 0.52)
    for knee, foot, gain in (((0.22, seat - 0.2), (0.12, 0.26), 0.75), ((0.25, seat - 0.06), (-0.02, 0.38), 1.0)):
        mesh.face(bar(*hip, *knee, 0.2, 0.16), label, Material.LOWER_CLOTH, lower, gain)
        mesh.face(bar(*knee, *foot, 0.16, 0.1), label, Material.LOWER_CLOTH, lower, gain)
        mesh.face(bar(foot[0] - 0.05, foot[1], foot[0] + 0.16, foot[1], 0.09), label, Material.HAIR)
    back = (-0.34, seat - 0.04), (-0.05, seat - 0.06), (0.26, seat + 0.46), (0.12, seat + 0.58), (-0.08, seat + 0.5)
    mesh.face(outline(*back), label, Material.UPPER_CLOTH, upper)
    mesh.face(bar(*shoulder, 0.3, seat + 0.22, 0.12), label, Material.UPPER_CLOTH, upper, 0.85)
    mesh.face(bar(0.3, seat + 0.22, 0.42, 1.05, 0.1), label, Material.SKIN, skin)
    _head(mesh, label, 0.2, seat + 0.72, random, helmet=random.random() < 0.6)


def _rider_back(mesh: Mesh, seat: float, random: Random) -> None:
    label = ids.RIDER
    upper, lower = random.random(), random.random()
    for side in (-1, 1):
        mesh.face(bar(side * 0.1, seat, side * 0.2, seat - 0.32, 0.19, 0.16), label, Material.LOWER_CLOTH, lower)
        shin = bar(side * 0.2, seat - 0.3, side * 0.17, 0.25 + 0.08 * side, 0.16, 0.11)
        mesh.face(shin, label, Material.LOWER_CLOTH, lower, 0.85)
        arm = bar(side * 0.24, seat + 0.48, side * 0.38, seat + 0.12, 0.12)
        mesh.face(arm, label, Material.UPPER_CLOTH, upper, 0.85)
    torso = outline(
        (-0.2, seat - 0.08), (0.2, seat - 0.08), (0.26, seat + 0.48), (0.09, seat + 0.6), (-0.09, seat + 0.6),
        (-0.26, seat + 0.48),
    )  # fmt: skip
    mesh.face(torso, label, Material.UPPER_CLOTH, upper)
    if random.random() < 0.3:
        backpack = upright(-0.15, 0.15, seat + 0.05, seat + 0.48)
        mesh.face(backpack, label, Material.LOWER_CLOTH, random.random())
    _head(mesh, label, 0.0, seat + 0.74, random, helmet=random.random() < 0.6)


def cycle(random: Random, *, motor: bool, side: bool, ridden: bool) -> tuple[Mesh, float]:
    """A bicycle or a motorcycle, from the side or from the end, with or without a rider; and its height in metres."""
    mesh, tone = Mesh(solid=False), random.random()
    build = {
        (False, True): _bicycle_side,
        (False, False): _bicycle_back,
        (True, True): _motorcycle_side,
        (True, False): _motorcycle_back,
    }[motor, side]
    build(mesh, tone)
    if ridden:
        (_rider_side if side else _rider_back)(mesh, 0.88 if motor else 0.98, random)
    if side and random.random() < 0.5:
        mesh.points = [(-x, y, z) for x, y, z in mesh.points]
    return mesh, 1.8 if ridden else 1.0
