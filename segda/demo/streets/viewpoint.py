"""The pinhole camera that looks down the street."""

import math
from dataclasses import dataclass

import numpy as np

NEAR = 0.4


@dataclass(frozen=True)
class Viewpoint:
    """A camera above the origin of the ground."""

    height: float  # metres above the ground
    pitch: float  # radians, positive looks down
    yaw: float  # radians, positive looks right
    roll: float  # radians, positive tips to the right
    field_of_view: float  # horizontal opening angle in radians

    @property
    def position(self) -> np.ndarray:
        """Where the camera is in the world, `[3]`."""
        return np.array([0.0, self.height, 0.0])

    def rotation(self) -> np.ndarray:
        """`[3, 3]`: world directions to camera directions (x right, y down, z ahead)."""
        cp, sp = math.cos(self.pitch), math.sin(self.pitch)
        cy, sy = math.cos(self.yaw), math.sin(self.yaw)
        cr, sr = math.cos(self.roll), math.sin(self.roll)
        turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        tilt = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        tip = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        return np.diag([1.0, -1.0, 1.0]) @ tip @ tilt @ turn

    def focal(self, size: tuple[int, int]) -> float:
        """Focal length in pixels of a picture of `size` (height, width)."""
        return size[1] / 2 / math.tan(self.field_of_view / 2)

    def rays(self, size: tuple[int, int]) -> np.ndarray:
        """float32 `[2, H, W]`: camera-space x and y, at depth 1, of every pixel's centre."""
        height, width = size
        focal = self.focal(size)
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal
        y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / focal
        return np.stack(np.broadcast_arrays(x[None, :], y[:, None]))

    def project(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Pixels `[N, 2]` (x, y) of camera-space points `[N, 3]` that lie ahead of the near plane."""
        focal = self.focal(size)
        return points[:, :2] / points[:, 2:] * focal + np.array([size[1] / 2 - 0.5, size[0] / 2 - 0.5])


def clip_near(points: np.ndarray) -> np.ndarray:
    """The part of a camera-space polygon `[N, 3]` ahead of the near plane; fewer than 3 points when nothing is."""
    corners: list[np.ndarray] = []
    for i in range(len(points)):
        a, b = points[i - 1], points[i]
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            corners.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
        if b[2] >= NEAR:
            corners.append(b)
    return np.array(corners).reshape(-1, 3)
