"""The rendered appearance: clean, saturated and sharp, under a warm sun that throws hard shadows."""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

import cv2
import numpy as np

from segda.demo.streets import rendered_surfaces, texture
from segda.demo.streets.layout import Layout, Range
from segda.demo.streets.raster import cast_shadows, rasterize
from segda.demo.streets.scene import Scene
from segda.demo.streets.surface import Paint

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


def draw(
    scene: Scene, size: tuple[int, int], random: Random, look: Look | None = None
) -> tuple[np.ndarray, np.ndarray]:
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
    return rendered_surfaces.paint()
