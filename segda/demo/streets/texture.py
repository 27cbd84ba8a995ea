"""Tileable textures: brightness (1 on average) and the share of a second colour, such as glass in a facade."""

from collections.abc import Callable

import cv2
import numpy as np

SIDE = 128
LEVELS = 3
Texture = tuple[np.ndarray, np.ndarray]
Drawing = Callable[[np.random.Generator], Texture]
_Y, _X = np.mgrid[0:SIDE, 0:SIDE]


def noise(rng: np.random.Generator, cells: int, octaves: int, keep: float = 0.6, side: int = SIDE) -> np.ndarray:
    """Tileable noise float32 `[side, side]` of mean 0 and standard deviation 1; `cells` to a side in octave 1."""
    total = np.zeros((side, side), dtype=np.float32)
    for octave in range(octaves):
        count = min(cells << octave, side)
        grid = np.tile(rng.standard_normal((count, count)).astype(np.float32), (3, 3))
        large = cv2.resize(grid, (3 * side, 3 * side), interpolation=cv2.INTER_CUBIC)
        total += keep**octave * large[side : 2 * side, side : 2 * side]
    return (total - total.mean()) / total.std()


def plain(rng: np.random.Generator, grain: float, cells: int = 8, octaves: int = 4) -> Texture:
    """An even surface with noise of the given contrast."""
    return 1 + grain * noise(rng, cells, octaves), np.zeros((SIDE, SIDE), dtype=np.float32)


def bricks(rng: np.random.Generator, grain: float, rows: int = 16, columns: int = 8, joint: float = 0.25) -> Texture:
    """Courses of bricks or slabs with joints; with `grain`, every brick has its own brightness."""
    height, width = SIDE // rows, SIDE // columns
    row = _Y // height
    column = ((_X + (row % 2) * width // 2) // width) % columns
    own = rng.standard_normal((rows, columns)).astype(np.float32)[row, column]
    seam = ((_Y % height) == 0) | (((_X + (row % 2) * width // 2) % width) == 0)
    detail = 1 + grain * (own + 0.6 * noise(rng, 8, 4)) - joint * seam
    return detail / detail.mean(), np.zeros((SIDE, SIDE), dtype=np.float32)


def windows(
    rng: np.random.Generator, wall: Texture, columns: int, rows: int, share: tuple[float, float], bars: int = 1
) -> Texture:
    """A wall with framed windows that fill `share` (across, up) of every bay; the glass is the second colour."""
    detail, _ = wall
    detail = detail.copy()
    glass = np.zeros((SIDE, SIDE), dtype=np.float32)
    width, height = SIDE // columns, SIDE // rows
    half_w, half_h = int(width * share[0] / 2), int(height * share[1] / 2)
    for row in range(rows):
        for column in range(columns):
            # Row 0 of a texture is at the ground, as v grows upwards.
            x, y = column * width + width // 2, row * height + int(height * 0.54)
            detail[y - half_h - 3 : y - half_h, x - half_w - 2 : x + half_w + 2] *= 0.72
            detail[y - half_h : y + half_h, x - half_w - 2 : x + half_w + 2] = 1.25
            glass[y - half_h + 1 : y + half_h - 1, x - half_w : x + half_w] = 1
            detail[y - half_h + 1 : y + half_h - 1, x - half_w : x + half_w] = 1 + 0.25 * rng.random()
            detail[y + half_h - 4 : y + half_h - 1, x - half_w : x + half_w] *= 0.6
            for i in range(1, bars + 1):
                x_bar = x - half_w + 2 * half_w * i // (bars + 1)
                glass[y - half_h : y + half_h, x_bar - 1 : x_bar + 1] = 0
                detail[y - half_h : y + half_h, x_bar - 1 : x_bar + 1] = 1.2
    return detail, glass


def pickets(rng: np.random.Generator, grain: float, count: int, filled: float, rails: bool) -> Texture:
    """Upright bars; the gaps between them are the second colour."""
    width = SIDE // count
    gap = (_X % width) >= width * filled
    gap = gap & ~((_Y % 64 < 8) if rails else np.zeros_like(gap))
    own = rng.standard_normal(count).astype(np.float32)[_X // width]
    edge = 0.15 * ((_X % width) == 0)
    return 1 + grain * (own + 0.5 * noise(rng, 16, 3)) - edge, gap.astype(np.float32)


def foliage(rng: np.random.Generator, grain: float, holes: float, cells: int = 10) -> Texture:
    """Leaves: blotches of light and dark; the deepest shade is the second colour."""
    blotches = noise(rng, cells, 4, 0.75)
    deep = np.clip((-blotches - (1.4 - holes)) * 2.5, 0, 1)
    return 1 + grain * blotches, deep.astype(np.float32)


class Atlas:
    """Textures by name, each in three levels of sharpness so that far surfaces do not flicker.

    Attributes:
        names: row of every texture.
        pixels: uint8 `[LEVELS, T, SIDE, SIDE, 2]`: brightness times 96 and second-colour share times 255.
    """

    def __init__(self, textures: dict[str, Drawing], seed: int) -> None:
        """Draw every texture once."""
        self.names = {name: i for i, name in enumerate(textures)}
        self.pixels = np.empty((LEVELS, len(textures), SIDE, SIDE, 2), dtype=np.uint8)
        for name, i in self.names.items():
            detail, second = textures[name](np.random.default_rng([seed, i]))
            full = np.stack((np.clip(detail * 96, 0, 255), np.clip(second * 255, 0, 255)), axis=2).astype(np.float32)
            for level in range(LEVELS):
                side = SIDE >> (2 * level)
                small = cv2.resize(full, (side, side), interpolation=cv2.INTER_AREA)
                self.pixels[level, i] = np.round(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))
