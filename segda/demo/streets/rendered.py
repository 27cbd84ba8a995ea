"""The rendered appearance: clean, saturated and sharp, under a warm sun that throws hard shadows."""

from dataclasses import dataclass
from random import Random

import numpy as np

from segda.demo.streets import rendered_surfaces, shading, texture
from segda.demo.streets.layout import Layout, Range
from segda.demo.streets.raster import rasterize
from segda.demo.streets.scene import Scene

LAYOUT = Layout()


@dataclass(frozen=True)
class Look:
    """Strengths of the appearance. Pairs are drawn evenly, per picture."""

    texture: float = 0.55  # factor on texture contrast
    panes: float = 0.25  # difference between window panes
    sun: Range = (0.72, 0.9)  # brightness of direct light
    warmth: Range = (0.08, 0.2)  # how far sunlight leans from white to orange
    ambient: Range = (0.42, 0.52)  # brightness of the sky's light
    shadow_length: Range = (0.35, 1.1)  # reach of a shadow in object heights
    shadow: float = 0.95  # share of direct light that a shadow takes away
    foot: float = 0.22  # darkening where upright things meet the ground
    haze: Range = (0.0008, 0.002)  # share of haze per metre
    saturation: float = 1.22  # factor on colourfulness
    contrast: float = 1.08  # factor on the distance to middle grey


LOOK = Look()


def draw(scene: Scene, size: tuple[int, int], random: Random, look: Look = LOOK) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a scene, uint8 RGB `[H, W, 3]` of `size` (height, width), and uint8 `[H, W]` of raw Cityscapes ids.

    `random` draws sun, sky and panes of this picture.
    """
    large = (2 * size[0], 2 * size[1])
    buffers = rasterize(scene, large)
    rng = np.random.default_rng(random.getrandbits(64))
    colour, _, _ = rendered_surfaces.paint().albedo(buffers, rng, look.texture, look.panes)

    length, warmth = random.uniform(*look.shadow_length), random.uniform(*look.warmth)
    angle = random.uniform(-np.pi, np.pi)
    facing, shadow = shading.directed(scene, buffers, angle, length, height=1.0, flat=0.75)
    direct = (facing.astype(np.float32) * random.uniform(*look.sun))[buffers.face]
    direct *= 1 - look.shadow * shadow * buffers.ground[buffers.face]
    ambient = random.uniform(*look.ambient)
    foot = 1 - look.foot * np.exp(-np.maximum(buffers.v, 0) * 1.6) * buffers.upright[buffers.face]
    for channel, (sun_tint, sky_tint) in enumerate(((1 + warmth, 0.94), (1.0, 1.0), (1 - warmth, 1.12))):
        colour[..., channel] *= (direct * sun_tint + ambient * sky_tint) * foot

    above = buffers.face == 0
    colour[above] = _sky(large, buffers.horizon, random, rng)[above]
    shading.veil(colour, buffers, random.uniform(*look.haze), np.array([0.72, 0.82, 0.95], dtype=np.float32))
    picture, label = shading.halved(colour, buffers)
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + look.saturation * (picture - grey)
    picture = 0.5 + look.contrast * (picture - 0.5)
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8), label


def _sky(size: tuple[int, int], horizon: float, random: Random, rng: np.random.Generator) -> np.ndarray:
    """A deep blue sky with soft, rounded clouds."""
    up, clouds = shading.sky(size, horizon, texture.noise(rng, 3, 3, 0.5, 64))
    up **= 0.7
    low, high = np.array([0.74, 0.87, 0.98]), np.array([0.16, 0.42, 0.88])
    blue = (low + (high - low) * up).astype(np.float32)
    cover = np.clip((clouds - random.uniform(0.3, 1.4)) * 1.6, 0, 1) * np.minimum(up * 2, 1)
    return blue * (1 - cover) + cover * 0.97
