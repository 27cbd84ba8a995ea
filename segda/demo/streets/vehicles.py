"""Cars, vans, trucks, buses and trams as meshes; all face +z."""

import math
from collections.abc import Sequence
from random import Random

from segda.demo.streets import ids
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Mesh, Point

ZY = tuple[float, float]


def _side(outline: Sequence[ZY], x: float, top_x: float | None = None, split: float = 0.0) -> list[Point]:
    """An outline in (z, y), given counter-clockwise as seen from the right, as a polygon of the side at `x`.

    Points above `split` lie at `top_x` instead, for sides that lean inwards.
    """
    points = [(x if top_x is None or y <= split else top_x, y, z) for z, y in outline]
    return points if x > 0 else points[::-1]


def _pane(x: float, z0: float, z1: float, y0: float, y1: float) -> list[Point]:
    """A rectangle in the side at `x`."""
    return _side([(z0, y0), (z1, y0), (z1, y1), (z0, y1)], x)


def _roof(half: float, height: float, back: float, front: float) -> list[Point]:
    return [(-half, height, back), (half, height, back), (half, height, front), (-half, height, front)]


def _across(z: float, y: float, half: float, top_z: float, top_y: float, top_half: float, front: bool) -> list[Point]:
    """A face across the vehicle from its lower edge to its upper edge."""
    points = [(-half, y, z), (half, y, z), (top_half, top_y, top_z), (-top_half, top_y, top_z)]
    return points[::-1] if front else points


def _wheel(mesh: Mesh, label: int, x: float, z: float, radius: float) -> None:
    for size, material in ((radius * 1.18, Material.TRIM), (radius, Material.TYRE), (radius * 0.6, Material.RIM)):
        angles = [2 * math.pi * (i + 0.5) / 10 for i in range(10)]
        outline = [(z + size * math.cos(a), max(radius + size * math.sin(a), 0.0)) for a in angles]
        mesh.detail(_side(outline, x), label, material)


def car(random: Random) -> tuple[Mesh, tuple[float, float, float]]:
    """A hatchback, saloon, off-roader or van; returns the mesh and its width, length and height in metres."""
    kind = random.choices(("hatch", "saloon", "tall", "van"), (4, 5, 3, 1.5))[0]
    length, width, height = {
        "hatch": (3.9, 1.72, 1.48),
        "saloon": (4.6, 1.8, 1.44),
        "tall": (4.6, 1.9, 1.72),
        "van": (5.0, 1.95, 2.1),
    }[kind]
    length, height = length * random.uniform(0.94, 1.06), height * random.uniform(0.96, 1.05)
    tone, label, paint = random.random(), ids.CAR, Material.CAR_PAINT
    front, back, half = length / 2, -length / 2, width / 2
    clear, nose = 0.24, 0.46 * height
    belt = 0.62 * height
    bonnet = front - length * (0.12 if kind == "van" else 0.27)
    tail = back + (length * 0.2 if kind == "saloon" else 0.06)
    roof_front, roof_back = bonnet - 0.5 * (height - belt) * 1.7, tail + (0.55 if kind == "saloon" else 0.22)
    roof_half = half - 0.17
    mesh = Mesh()
    body = [(back, clear), (front, clear), (front, nose), (bonnet, belt), (back + 0.05, belt), (back, 0.5 * height)]
    for x in (-half, half):
        mesh.face(_side(body, x), label, paint, tone)
        mesh.detail(_pane(x, back, front, clear, clear + 0.12), label, Material.TRIM)
        mesh.detail(_pane(x, 0.0, 0.03, clear, belt), label, paint, tone, 0.6)
        for z in (front - 0.19 * length, back + 0.19 * length):
            _wheel(mesh, label, x * 1.01, z, 0.32)
    mesh.face(_across(front, clear, half, front, nose, half, True), label, paint, tone)
    mesh.detail(_across(front, clear, half, front, clear + 0.2, half, True), label, Material.TRIM)
    mesh.detail(_across(front, nose - 0.28, half * 0.5, front, nose - 0.1, half * 0.55, True), label, Material.TRIM)
    _lights(mesh, label, front, nose - 0.2, half, True)
    mesh.face(_across(front, nose, half, bonnet, belt, half, True), label, paint, tone, 1.05)
    mesh.face(_across(back, clear, half, back, belt, half, False), label, paint, tone)
    mesh.detail(_across(back, clear, half, back, clear + 0.2, half, False), label, Material.TRIM)
    plate = _across(back, 0.5 * height - 0.12, 0.26, back, 0.5 * height + 0.02, 0.26, False)
    mesh.detail(plate, label, Material.SIGN_WHITE)
    _lights(mesh, label, back, belt - 0.24, half, False)
    mesh.face(_across(back, belt, half, tail, belt + 0.01, half, False), label, paint, tone)
    mesh.stage = 1
    glasshouse = [(tail, belt), (bonnet, belt), (roof_front, height), (roof_back, height)]
    for x, top in ((-half, -roof_half), (half, roof_half)):
        mesh.face(_side(glasshouse, x, top, belt + 0.01), label, paint, tone)
        _side_windows(mesh, label, (tail, bonnet, roof_front, roof_back), (belt, height), (x, top))
    mesh.face(_across(bonnet, belt, half, roof_front, height, roof_half, True), label, paint, tone)
    screen = _across(bonnet - 0.06, belt + 0.05, half - 0.1, roof_front, height - 0.06, roof_half - 0.05, True)
    mesh.detail(screen, label, Material.GLASS)
    mesh.face(_across(tail, belt, half, roof_back, height, roof_half, False), label, paint, tone)
    rear = _across(tail + 0.04, belt + 0.07, half - 0.14, roof_back, height - 0.08, roof_half - 0.06, False)
    mesh.detail(rear, label, Material.GLASS)
    mesh.face(_roof(roof_half, height, roof_back, roof_front), label, paint, tone, 1.05)
    return mesh, (width, length, height)


def _side_windows(
    mesh: Mesh, label: int, along: tuple[float, float, float, float], up: tuple[float, float], out: tuple[float, float]
) -> None:
    """Two panes with a pillar between them in a side that leans from `out[0]` to `out[1]`."""
    (tail, bonnet, roof_front, roof_back), (belt, height), (x, top) = along, up, out
    low, high, middle = belt + 0.04, height - 0.1, (tail + bonnet) / 2 - 0.1
    rise = (high - belt) / (height - belt)
    front_top, back_top = bonnet + (roof_front - bonnet) * rise, tail + (roof_back - tail) * rise
    high_x = x + (top - x) * rise
    panes = (
        [(tail + 0.12, low), (middle - 0.05, low), (middle - 0.05, high), (back_top + 0.1, high)],
        [(middle + 0.05, low), (bonnet - 0.12, low), (front_top - 0.08, high), (middle + 0.05, high)],
    )
    for pane in panes:
        points = [(x if y == low else high_x, y, z) for z, y in pane]
        mesh.detail(points if x > 0 else points[::-1], label, Material.GLASS)


def _lights(mesh: Mesh, label: int, z: float, y: float, half: float, front: bool) -> None:
    material = Material.HEADLIGHT if front else Material.TAILLIGHT
    for sign in (-1, 1):
        a, b = sorted((sign * half * 0.96, sign * half * 0.62))
        points = [(a, y, z), (b, y, z), (b, y + 0.17, z), (a, y + 0.17, z)]
        mesh.detail(points[::-1] if front else points, label, material)


def _windows(
    mesh: Mesh, label: int, x: float, span: tuple[float, float], up: tuple[float, float], count: int, gap: float = 0.1
) -> None:
    step = (span[1] - span[0]) / count
    for i in range(count):
        start, end = span[0] + i * step + gap / 2, span[0] + (i + 1) * step - gap / 2
        mesh.detail(_pane(x, start, end, *up), label, Material.GLASS)


def truck(random: Random) -> tuple[Mesh, tuple[float, float, float]]:
    """A lorry: a cab and a taller cargo box, or an open bed."""
    length, half, height = random.uniform(6.5, 9.5), 1.2, random.uniform(3.0, 3.7)
    tone, cargo_tone, label = random.random(), random.random(), ids.TRUCK
    cab_back, cab_top, low = length / 2 - 2.0, random.uniform(2.5, 2.9), 0.5
    bed_top = height if random.random() < 0.8 else 1.7
    mesh = Mesh()
    mesh.box((-half, 1.0, -length / 2), (half, bed_top, cab_back - 0.15), label, Material.CARGO, cargo_tone)
    mesh.box((-half, low, cab_back), (half, cab_top, length / 2), label, Material.TRUCK_PAINT, tone)
    for x in (-half, half):
        mesh.face(_pane(x * 0.98, -length / 2, cab_back, low, 1.0), label, Material.TRIM)
        for z in (-length / 2 + 1.1, -length / 2 + 2.2, length / 2 - 1.1):
            _wheel(mesh, label, x, z, 0.48)
    mesh.stage = 1
    for x in (-half, half):
        window = _pane(x * 1.005, cab_back + 0.5, length / 2 - 0.25, 1.5, cab_top - 0.3)
        mesh.face(window, label, Material.GLASS)
    front = length / 2 + 0.01
    mesh.face(_across(front, 1.5, half * 0.88, front, cab_top - 0.25, half * 0.85, True), label, Material.GLASS)
    mesh.detail(_across(front, low, half, front, low + 0.35, half, True), label, Material.TRIM)
    _lights(mesh, label, front, 0.9, half, True)
    mesh.face(_across(-length / 2, low, half, -length / 2, 1.0, half, False), label, Material.TRIM)
    _lights(mesh, label, -length / 2, 0.75, half, False)
    mesh.detail(_across(-length / 2, 1.1, 0.03, -length / 2, bed_top - 0.1, 0.03, False), label, Material.TRIM)
    return mesh, (2 * half, length, bed_top)


def bus(random: Random) -> tuple[Mesh, tuple[float, float, float]]:
    """A city bus with rows of windows."""
    length, half, height, label = random.uniform(9.0, 12.0), 1.25, random.uniform(2.9, 3.2), ids.BUS
    mesh = _coach(label, Material.BUS_PAINT, random.random(), (length, half, height), wheels=True)
    return mesh, (2 * half, length, height)


def tram(random: Random) -> tuple[Mesh, tuple[float, float, float]]:
    """A tram of one long car, labelled train."""
    length, half, height = random.uniform(15.0, 24.0), 1.25, random.uniform(3.3, 3.6)
    mesh = _coach(ids.TRAIN, Material.TRAM_PAINT, random.random(), (length, half, height), wheels=False)
    return mesh, (2 * half, length, height)


def _coach(label: int, paint: Material, tone: float, size: tuple[float, float, float], wheels: bool) -> Mesh:
    length, half, height = size
    front, back, low = length / 2, -length / 2, 0.35 if wheels else 0.2
    mesh = Mesh()
    for x in (-half, half):
        mesh.face(_pane(x, back, front, low, height), label, paint, tone)
        mesh.detail(_pane(x, back, front, low, low + 0.25), label, Material.TRIM)
        _windows(mesh, label, x, (back + 0.3, front - 0.2), (1.25, height - 0.55), round(length / 1.4))
        if not wheels:
            mesh.detail(_pane(x, back, front, height - 0.4, height - 0.2), label, Material.SIGN_WHITE)
        for z in (-0.28, 0.1, 0.36):
            door = _pane(x, z * length, z * length + 1.2, low, height - 0.55)
            mesh.detail(door, label, Material.GLASS, 0.9, 0.8)
        for z in (front - 2.2, back + 2.6) if wheels else ():
            _wheel(mesh, label, x, z, 0.48)
    for z, is_front in ((front, True), (back, False)):
        mesh.face(_across(z, low, half, z, height, half, is_front), label, paint, tone)
        mesh.detail(_across(z, low, half, z, low + 0.3, half, is_front), label, Material.TRIM)
        mesh.detail(_across(z, 1.2, half * 0.9, z, height - 0.65, half * 0.86, is_front), label, Material.GLASS)
        board = _across(z, height - 0.5, half * 0.6, z, height - 0.2, half * 0.6, is_front)
        mesh.detail(board, label, Material.SIGN_YELLOW)
        _lights(mesh, label, z, 0.75, half, is_front)
    mesh.face(_roof(half, height, back, front), label, paint, tone, 0.9)
    return mesh
