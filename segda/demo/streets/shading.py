"""What both appearances share: light from one direction, the sky, haze, and smooth edges."""

import cv2
import numpy as np

from segda.demo.streets.raster import Buffers, cast_shadows
from segda.demo.streets.scene import Scene


def directed(
    scene: Scene, buffers: Buffers, angle: float, reach: float, *, height: float, flat: float
) -> tuple[np.ndarray, np.ndarray]:
    """Direct light: brightness of every face, `[F]` in [0, 1], and float32 `[H, W]`, 1 where the ground is in shadow.

    Shadows point `angle` radians from ahead to the right and are `reach` object heights long; `height` is the light's
    against `reach`. Flat figures, whose normals say nothing, have the brightness `flat`.
    """
    x, z = np.sin(angle) * reach, np.cos(angle) * reach
    towards = np.array([-x, height, -z])
    towards /= np.linalg.norm(towards)
    facing = np.where(buffers.flat & ~buffers.ground, flat, np.clip(buffers.normals @ towards, 0, 1))
    return facing, cast_shadows(scene, buffers.face.shape, (x, z))


def sky(size: tuple[int, int], horizon: float, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height above the horizon, float32 `[H, 1, 1]` in [0, 1], and `noise` as clouds, float32 `[H, W, 1]`."""
    height, width = size
    up = np.clip(1 - np.arange(height, dtype=np.float32) / max(horizon, 1.0), 0, 1)[:, None, None]
    return up, cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]


def veil(colour: np.ndarray, buffers: Buffers, share: float, haze: np.ndarray) -> None:
    """Blend `haze`, RGB `[3]`, into `colour` in place, `share` of it per metre, but not into the sky."""
    cover = 1 - np.exp(-share * buffers.depth)
    cover[buffers.face == 0] = 0
    colour += cover[..., None] * (haze - colour)


def halved(colour: np.ndarray, buffers: Buffers) -> tuple[np.ndarray, np.ndarray]:
    """Colours and labels at half the size at which they were drawn, so that edges are smooth."""
    height, width = buffers.label.shape
    picture = cv2.resize(colour, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return picture, np.ascontiguousarray(buffers.label[::2, ::2])
