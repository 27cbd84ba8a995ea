"""The camera appearance: dirty surfaces in changing weather, seen through a lens, a sensor and its processing."""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

import cv2
import numpy as np

from segda.demo.streets import camera_surfaces, ids, lens, shading, texture
from segda.demo.streets.layout import Layout, Range
from segda.demo.streets.raster import Buffers, rasterize
from segda.demo.streets.scene import Scene

LAYOUT = Layout(
    camera_height=(1.25, 1.65), pitch=(1.0, 6.0), field_of_view=(50.0, 64.0), lanes=(2, 3), suburb=0.26,
    building_height=(9.0, 20.0), parked=0.5, driving=1.8, heavy=0.2, tram=0.12, people=7.0, cycles=3.2, trees=0.55,
    clutter=2.0, bonnet=True, yellow_lines=0.0,
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """Strengths of the appearance. Pairs are drawn evenly, per picture."""

    texture: float = 1.0  # factor on texture contrast
    dirt: float = 0.09  # contrast of large stains on every surface
    panes: float = 0.9  # difference between window panes
    # Shares of overcast, low sun, wet, fog and dusk.
    weather: tuple[float, float, float, float, float] = (0.4, 0.2, 0.17, 0.1, 0.13)
    haze: Range = (0.002, 0.009)  # share of haze per metre
    fog: Range = (0.016, 0.032)  # the same in fog, instead of `haze`
    reflection: Range = (0.25, 0.5)  # share of the mirrored picture on a wet road
    saturation: Range = (0.75, 1.1)  # factor on colourfulness
    exposure: Range = (0.0, 0.8)  # stops around the right exposure
    balance: float = 0.09  # largest shift of the white balance, as a share
    vignette: Range = (0.12, 0.4)  # light lost in the corners, as a share
    blur: Range = (0.35, 0.8)  # standard deviation of the lens's blur in pixels
    motion: Range = (0.0, 2.2)  # length of motion blur in pixels
    bloom: Range = (0.04, 0.14)  # share of light that bright areas spill
    noise: Range = (0.008, 0.028)  # standard deviation of the sensor's noise at middle grey, as a share of white
    quality: Range = (55, 88)  # of the JPEG that the camera writes


LOOK = Look()


@dataclass(frozen=True)
class Light:
    """One weather: direct and sky light in RGB, shadows, and the sky's colours."""

    direct: tuple[float, float, float]
    ambient: tuple[float, float, float]
    reach: Range
    softness: float
    horizon: tuple[float, float, float]
    zenith: tuple[float, float, float]
    cloud: float


# Linear light, 1 is a white sheet under the sky at the right exposure.
LIGHTS = {
    "overcast": Light(
        (0.22, 0.22, 0.22), (0.7, 0.72, 0.76), (0.05, 0.15), 5.0, (0.88, 0.9, 0.93), (0.7, 0.74, 0.8), 0.1
    ),
    "low sun": Light(
        (0.95, 0.74, 0.5), (0.34, 0.38, 0.46), (1.2, 2.6), 1.5, (1.0, 0.93, 0.8), (0.55, 0.68, 0.85), 0.16
    ),
    "wet": Light((0.1, 0.1, 0.1), (0.6, 0.64, 0.7), (0.03, 0.1), 6.0, (0.76, 0.79, 0.83), (0.56, 0.6, 0.66), 0.16),
    "fog": Light((0.1, 0.1, 0.1), (0.74, 0.76, 0.78), (0.0, 0.05), 7.0, (0.8, 0.82, 0.83), (0.74, 0.76, 0.78), 0.03),
    "dusk": Light((0.08, 0.08, 0.12), (0.3, 0.32, 0.42), (0.03, 0.1), 6.0, (0.66, 0.52, 0.5), (0.24, 0.29, 0.42), 0.12),
}


def draw(scene: Scene, size: tuple[int, int], random: Random, look: Look = LOOK) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a scene, uint8 RGB `[H, W, 3]` of `size` (height, width), and uint8 `[H, W]` of raw Cityscapes ids.

    `random` draws weather, light, lens and sensor of this picture.
    """
    large = (2 * size[0], 2 * size[1])
    buffers = rasterize(scene, large)
    rng = np.random.default_rng(random.getrandbits(64))
    weather = random.choices(tuple(LIGHTS), look.weather)[0]
    light = LIGHTS[weather]
    colour, glass, pane = camera_surfaces.paint().albedo(buffers, rng, look.texture, look.panes)
    colour *= (1 + look.dirt * _stains(buffers, random))[..., None]
    above = buffers.face == 0
    _illuminate(colour, scene, buffers, light, random)
    if weather == "dusk":
        lit = ((pane > 0.74) * (glass > 0.5))[..., None] * 0.9
        colour += lit * (np.array([1.0, 0.72, 0.36], dtype=np.float32) - colour)
    colour[above] = _sky(large, buffers.horizon, light, rng)[above]
    haze = np.array(light.horizon, dtype=np.float32) * 0.95
    shading.veil(colour, buffers, random.uniform(*(look.fog if weather == "fog" else look.haze)), haze)
    if weather == "wet":
        _reflect(colour, buffers, random.uniform(*look.reflection), random)
    picture, label = shading.halved(colour, buffers)
    if scene.bonnet:
        _bonnet(picture, label, random)
    stops = random.uniform(*look.exposure) + {"dusk": 0.9, "low sun": 0.3}.get(weather, 0.0)
    photograph = lens.photograph(
        picture,
        rng,
        exposure=2.0**stops,
        balance=(1 + random.uniform(-1, 1) * look.balance, 1.0, 1 + random.uniform(-1, 1) * look.balance),
        saturation=random.uniform(*look.saturation),
        vignette=random.uniform(*look.vignette),
        blur=random.uniform(*look.blur),
        motion=random.uniform(*look.motion),
        bloom=random.uniform(*look.bloom),
        noise=random.uniform(*look.noise) * (1.7 if weather == "dusk" else 1.0),
        quality=round(random.uniform(*look.quality)),
    )
    return photograph, label


def _stains(buffers: Buffers, random: Random) -> np.ndarray:
    """Large irregular stains in the surface's own coordinates, float32 `[H, W]` around 0."""
    field = _stain_field()
    shift = random.randrange(len(field))
    side = len(field) - 1
    across = (buffers.u * 23 + buffers.face * 37 + shift).astype(np.int32) & side
    up = (buffers.v * 17 + buffers.face * 11 + shift).astype(np.int32) & side
    return field[up, across]


@lru_cache(maxsize=1)
def _stain_field() -> np.ndarray:
    return texture.noise(np.random.default_rng(202), 4, 6, 0.75, 256)


def _illuminate(colour: np.ndarray, scene: Scene, buffers: Buffers, light: Light, random: Random) -> None:
    reach, angle = random.uniform(*light.reach), random.uniform(-np.pi, np.pi)
    facing, shadow = shading.directed(scene, buffers, angle, reach, height=0.8, flat=0.42)
    shadow = cv2.GaussianBlur(shadow, (0, 0), light.softness)
    # Faces that look up see more of the sky.
    open_sky = np.where(buffers.flat & ~buffers.ground, 0.85, 0.72 + 0.28 * np.clip(buffers.normals[:, 1], -0.5, 1))
    on_ground = buffers.ground[buffers.face]
    direct = facing.astype(np.float32)[buffers.face] * (1 - 0.85 * shadow * on_ground)
    ambient = open_sky.astype(np.float32)[buffers.face] * (1 - 0.55 * shadow * on_ground)
    ambient *= 1 - 0.4 * np.exp(-np.maximum(buffers.v, 0) * 1.1) * buffers.upright[buffers.face]
    for channel in range(3):
        colour[..., channel] *= direct * light.direct[channel] + ambient * light.ambient[channel]


def _sky(size: tuple[int, int], horizon: float, light: Light, rng: np.random.Generator) -> np.ndarray:
    up, clouds = shading.sky(size, horizon, texture.noise(rng, 2, 5, 0.6, 64))
    low, high = np.array(light.horizon, dtype=np.float32), np.array(light.zenith, dtype=np.float32)
    return (low + (high - low) * up) * (1 + light.cloud * clouds * (0.3 + 0.7 * up))


def _reflect(colour: np.ndarray, buffers: Buffers, strength: float, random: Random) -> None:
    """Mirror what is above the horizon in a wet road, smeared along the view; puddles mirror more."""
    height = colour.shape[0]
    rows = np.clip(2 * round(buffers.horizon) - np.arange(height), 0, height - 1)
    mirrored = cv2.blur(colour[rows], (5, 25))
    puddles = np.clip(0.7 + 0.5 * _stains(buffers, random), 0.15, 1.3)
    share = strength * puddles * buffers.ground[buffers.face]
    colour *= (1 - 0.35 * share)[..., None]
    colour += (share * 0.8)[..., None] * (mirrored - colour)


def _bonnet(picture: np.ndarray, label: np.ndarray, random: Random) -> None:
    """The camera's own car along the lower edge, mirroring the light ahead."""
    height, width = label.shape
    top = height * random.uniform(0.91, 0.95)
    x = np.arange(width) / width * 2 - 1
    edge = np.round(top + height * 0.055 * x**2).astype(int)
    below = np.arange(height)[:, None] >= edge[None, :]
    label[below] = ids.EGO_VEHICLE
    sheen = picture[int(height * 0.3) : int(height * 0.45)].mean(axis=0, keepdims=True)
    shade = np.linspace(0.5, 0.16, height - int(top) + 1)[np.clip(np.arange(height) - int(top), 0, height - int(top))]
    picture[below] = (0.04 + shade[:, None, None] * sheen * 0.55)[below]
