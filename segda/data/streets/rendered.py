"""The rendered appearance: clean, saturated and sharp, under a warm sun that throws hard shadows."""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

import cv2
import numpy as np

from segda.data.streets import texture
from segda.data.streets.material import Material
from segda.data.streets.raster import cast_shadows, rasterize
from segda.data.streets.scene import Layout, Range, Scene
from segda.data.streets.surface import Paint, Surface
from segda.data.streets.texture import Atlas

LAYOUT = Layout(
    camera_height=(1.5, 2.5),
    pitch=(0.0, 5.0),
    field_of_view=(58.0, 76.0),
    lanes=(2, 4),
    suburb=0.34,
    building_height=(7.0, 18.0),
    parked=0.3,
    driving=2.6,
    heavy=0.3,
    tram=0.16,
    people=6.0,
    cycles=2.6,
    trees=0.45,
    clutter=1.4,
    bonnet=False,
    yellow_lines=0.7,
)


@dataclass(frozen=True)
class Look:
    """Strengths of the appearance. Pairs are drawn evenly, per picture.

    Attributes:
        texture: factor on texture contrast.
        panes: difference between window panes.
        sun: brightness of direct light.
        warmth: how far sunlight leans from white to orange.
        ambient: brightness of the sky's light.
        shadow_length: reach of a shadow in object heights.
        shadow: share of direct light that a shadow takes away.
        foot: darkening where upright things meet the ground.
        haze: share of haze per metre.
        saturation: factor on colourfulness.
        contrast: factor on the distance to middle grey.
    """

    texture: float = 0.55
    panes: float = 0.25
    sun: Range = (0.72, 0.9)
    warmth: Range = (0.08, 0.2)
    ambient: Range = (0.42, 0.52)
    shadow_length: Range = (0.35, 1.1)
    shadow: float = 0.95
    foot: float = 0.22
    haze: Range = (0.0008, 0.002)
    saturation: float = 1.22
    contrast: float = 1.08


def draw(scene: Scene, size: tuple[int, int], random: Random, look: Look | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Draw a scene.

    Args:
        scene: the scene.
        size: (height, width) of the picture.
        random: sun, sky and panes of this picture.
        look: strengths, by default those of `Look`.

    Returns:
        uint8 RGB `[H, W, 3]`, and uint8 `[H, W]` of raw Cityscapes ids.
    """
    look = look or Look()
    large = (2 * size[0], 2 * size[1])
    buffers = rasterize(scene, large)
    rng = np.random.default_rng(random.getrandbits(64))
    paint = _paint()
    colour, _, _ = paint.albedo(buffers, rng, look.texture, look.panes)

    length, warmth = random.uniform(*look.shadow_length), random.uniform(*look.warmth)
    angle = random.uniform(-np.pi, np.pi)
    towards = np.array([-np.sin(angle) * length, 1.0, -np.cos(angle) * length])
    towards /= np.linalg.norm(towards)
    shadow = cast_shadows(scene, large, (np.sin(angle) * length, np.cos(angle) * length))
    facing = np.where(buffers.flat & ~buffers.ground, 0.75, np.clip(buffers.normals @ towards, 0, 1)).astype(np.float32)
    direct = (facing * random.uniform(*look.sun))[buffers.face]
    direct *= 1 - look.shadow * shadow * buffers.ground[buffers.face]
    ambient = random.uniform(*look.ambient)
    foot = 1 - look.foot * np.exp(-np.maximum(buffers.v, 0) * 1.6) * buffers.upright[buffers.face]
    for channel, (sun_tint, sky_tint) in enumerate(((1 + warmth, 0.94), (1.0, 1.0), (1 - warmth, 1.12))):
        colour[..., channel] *= (direct * sun_tint + ambient * sky_tint) * foot

    sky = _sky(large, buffers.horizon, random, rng)
    above = buffers.face == 0
    colour[above] = sky[above]
    veil = 1 - np.exp(-random.uniform(*look.haze) * buffers.depth)
    veil[above] = 0
    colour += veil[..., None] * (np.array([0.72, 0.82, 0.95], dtype=np.float32) - colour)

    picture = cv2.resize(colour, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + look.saturation * (picture - grey)
    picture = 0.5 + look.contrast * (picture - 0.5)
    image = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return image, np.ascontiguousarray(buffers.label[::2, ::2])


def _sky(size: tuple[int, int], horizon: float, random: Random, rng: np.random.Generator) -> np.ndarray:
    """A deep blue sky with soft, rounded clouds."""
    height, width = size
    up = np.clip(1 - np.arange(height, dtype=np.float32) / max(horizon, 1.0), 0, 1)[:, None, None] ** 0.7
    low, high = np.array([0.74, 0.87, 0.98]), np.array([0.16, 0.42, 0.88])
    sky = (low + (high - low) * up).astype(np.float32)
    clouds = cv2.resize(texture.noise(rng, 3, 3, 0.5, 64), (width, height), interpolation=cv2.INTER_CUBIC)
    cover = np.clip((clouds - random.uniform(0.3, 1.4)) * 1.6, 0, 1)[..., None] * np.minimum(up * 2, 1)
    return np.broadcast_to(sky, (height, width, 3)) * (1 - cover) + cover * 0.97


@lru_cache(maxsize=1)
def _paint() -> Paint:
    plaster, stone = (lambda r: texture.plain(r, 0.03, 4, 2)), (lambda r: texture.bricks(r, 0.05, 4, 4, 0.12))
    brick = lambda r: texture.bricks(r, 0.09, 16, 8, 0.3)  # noqa: E731
    atlas = Atlas(
        {
            "plain": lambda r: texture.plain(r, 0.0),
            "soft": lambda r: texture.plain(r, 0.05, 4, 3),
            "asphalt": lambda r: texture.plain(r, 0.06, 8, 3),
            "slabs": lambda r: texture.bricks(r, 0.05, 4, 4, 0.2),
            "cobbles": lambda r: texture.bricks(r, 0.1, 16, 16, 0.25),
            "brick": brick,
            "brick windows": lambda r: texture.windows(r, brick(r), 2, 2, (0.42, 0.5)),
            "brick wide": lambda r: texture.windows(r, brick(r), 2, 2, (0.62, 0.46), 2),
            "plaster windows": lambda r: texture.windows(r, plaster(r), 2, 2, (0.4, 0.54)),
            "plaster wide": lambda r: texture.windows(r, plaster(r), 1, 2, (0.7, 0.44), 3),
            "stone windows": lambda r: texture.windows(r, stone(r), 2, 2, (0.48, 0.6)),
            "glass": lambda r: texture.windows(r, plaster(r), 4, 2, (0.86, 0.84), 0),
            "shop": lambda r: texture.windows(r, plaster(r), 2, 1, (0.84, 0.72), 0),
            "planks": lambda r: texture.pickets(r, 0.07, 16, 0.88, False),
            "railing": lambda r: texture.pickets(r, 0.03, 16, 0.4, True),
            "leaves": lambda r: texture.foliage(r, 0.13, 0.35, 8),
            "grass": lambda r: texture.plain(r, 0.08, 16, 2),
        },
        seed=101,
    )
    bay = (3.0, 3.2)
    blue = ((70, 120, 175), (88, 140, 190), (52, 92, 140))
    surfaces = {
        Material.SKY: Surface(((120, 170, 230),)),
        Material.ASPHALT: Surface(((98, 98, 106), (108, 106, 108), (88, 90, 98)), ("asphalt",), (4, 4)),
        Material.MARKING: Surface(((238, 238, 232),) * 9 + ((240, 196, 40),)),
        Material.KERB: Surface(((200, 196, 188),)),
        Material.PAVING: Surface(((188, 176, 160), (196, 190, 180), (178, 170, 164)), ("slabs",), (4, 4)),
        Material.COBBLES: Surface(((140, 128, 120),), ("cobbles",), (3, 3)),
        Material.GRASS: Surface(((112, 172, 60), (98, 160, 58), (138, 176, 70), (176, 160, 96)), ("grass",), (3, 3)),
        Material.FACADE_BRICK: Surface(((196, 92, 66), (178, 82, 70), (206, 120, 80), (160, 90, 70)), ("brick windows", "brick wide"), (6, 6.4), blue, bay),
        Material.FACADE_PLASTER: Surface(((240, 214, 160), (238, 188, 140), (226, 226, 210), (180, 206, 214), (236, 170, 150), (206, 214, 160)), ("plaster windows", "plaster wide"), (6, 6.4), blue, bay),
        Material.FACADE_STONE: Surface(((214, 200, 172), (190, 180, 166)), ("stone windows",), (6, 6.4), blue, bay),
        Material.FACADE_GLASS: Surface(((150, 170, 190), (180, 190, 200)), ("glass",), (6, 6.4), ((70, 140, 190), (80, 160, 180)), (1.5, 3.2)),
        Material.SHOP: Surface(((200, 60, 60), (60, 110, 170), (60, 150, 110), (230, 180, 80), (120, 80, 60)), ("shop",), (6, 3.3), ((60, 84, 110), (90, 110, 130)), (3, 3.3)),
        Material.AWNING: Surface(((214, 60, 54), (50, 130, 90), (240, 200, 90), (60, 90, 180))),
        Material.DOOR: Surface(((120, 70, 40), (50, 80, 120), (150, 40, 40), (60, 60, 60))),
        Material.ROOF: Surface(((178, 84, 60), (120, 80, 70), (100, 104, 116)), ("slabs",), (2, 2)),
        Material.SKYLINE: Surface(((160, 176, 200), (176, 184, 200), (150, 160, 186)), ("glass",), (12, 12), ((120, 150, 190),), (3, 3)),
        Material.WALL_BRICK: Surface(((188, 104, 78), (170, 120, 96)), ("brick",), (2, 2)),
        Material.WALL_CONCRETE: Surface(((204, 200, 190), (186, 190, 192)), ("soft",), (3, 3)),
        Material.FENCE_WOOD: Surface(((182, 126, 70), (214, 190, 150), (236, 236, 230)), ("planks",), (2.4, 2.4)),
        Material.FENCE_METAL: Surface(((70, 80, 84), (60, 100, 80)), ("railing",), (2.4, 2.4), ((110, 150, 80), (140, 140, 120))),
        Material.METAL: Surface(((120, 126, 132), (90, 98, 104), (84, 110, 96))),
        Material.HOUSING: Surface(((44, 46, 50),)),
        Material.LAMP_RED: Surface(((255, 40, 30),)),
        Material.LAMP_AMBER: Surface(((255, 190, 30),)),
        Material.LAMP_GREEN: Surface(((40, 240, 110),)),
        Material.LAMP_DARK: Surface(((40, 70, 56), (80, 66, 34), (80, 34, 34))),
        Material.SIGN_RED: Surface(((226, 30, 36),)),
        Material.SIGN_BLUE: Surface(((30, 90, 210),)),
        Material.SIGN_WHITE: Surface(((244, 244, 244),)),
        Material.SIGN_YELLOW: Surface(((250, 208, 40),)),
        Material.BARK: Surface(((124, 86, 56), (140, 108, 80)), ("soft",)),
        Material.LEAVES: Surface(((86, 150, 44), (70, 140, 54), (110, 164, 50), (60, 124, 60), (130, 170, 60)), ("leaves",), (4, 4), ((40, 92, 36),)),
        Material.SKIN: Surface(((240, 196, 160), (214, 160, 120), (150, 100, 70), (100, 66, 48))),
        Material.HAIR: Surface(((50, 34, 26), (96, 62, 34), (200, 160, 90), (30, 28, 30))),
        Material.UPPER_CLOTH: Surface(((220, 50, 60), (50, 110, 210), (240, 240, 236), (60, 170, 100), (240, 180, 50), (150, 70, 170), (60, 60, 70))),
        Material.LOWER_CLOTH: Surface(((50, 70, 130), (60, 60, 66), (150, 130, 100), (110, 60, 50))),
        Material.CAR_PAINT: Surface(((210, 36, 40), (40, 90, 200), (240, 240, 240), (250, 190, 40), (50, 150, 90), (60, 62, 70), (180, 186, 194), (230, 110, 40))),
        Material.TRUCK_PAINT: Surface(((220, 70, 40), (50, 110, 190), (240, 240, 236), (60, 150, 100))),
        Material.CARGO: Surface(((236, 236, 230), (210, 150, 70), (90, 130, 180), (200, 200, 206)), ("soft",)),
        Material.BUS_PAINT: Surface(((220, 60, 50), (250, 200, 60), (70, 130, 200))),
        Material.TRAM_PAINT: Surface(((236, 220, 160), (60, 150, 120), (210, 60, 60))),
        Material.CYCLE_PAINT: Surface(((220, 40, 40), (40, 120, 220), (60, 170, 90), (250, 180, 40), (40, 40, 46))),
        Material.GLASS: Surface(((70, 110, 150), (86, 128, 166))),
        Material.TRIM: Surface(((40, 42, 46),)),
        Material.TYRE: Surface(((34, 34, 38),)),
        Material.RIM: Surface(((196, 200, 206),)),
        Material.SPOKES: Surface(((138, 138, 142),)),
        Material.HEADLIGHT: Surface(((255, 252, 226),)),
        Material.TAILLIGHT: Surface(((214, 24, 30),)),
        Material.PLASTIC: Surface(((60, 130, 70), (70, 90, 130), (120, 120, 124), (190, 90, 50))),
        Material.BONNET: Surface(((80, 82, 90),)),
    }
    return Paint(surfaces, atlas)
