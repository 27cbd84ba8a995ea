"""Surfaces: what a material looks like in one appearance, and the picture of a scene before any light."""

from dataclasses import dataclass

import numpy as np

from segda.demo.streets.material import Material
from segda.demo.streets.raster import Buffers
from segda.demo.streets.texture import LEVELS, SIDE, Atlas


@dataclass(frozen=True)
class Surface:
    """A material's look."""

    colours: str  # colours as `rrggbb rrggbb ...`; a face's tone picks one
    textures: tuple[str, ...] = ("plain",)  # names of textures; a face's tone picks one
    tile: tuple[float, float] = (2.0, 2.0)  # metres that one texture tile covers, across and up
    second: str = "28282c"  # colours in the same way, of the texture's second colour, such as window glass
    # Metres of one window bay, across and up, each of which gets its own glass brightness; 0 for none.
    panes: tuple[float, float] = (0.0, 0.0)


def _colours(text: str) -> np.ndarray:
    """float32 `[N, 3]` in [0, 1] of colours written as `rrggbb`."""
    return np.array([list(bytes.fromhex(each)) for each in text.split()], dtype=np.float32) / 255


def _pick(tones: np.ndarray, factor: float, counts: np.ndarray) -> np.ndarray:
    """An index below `counts` for every face, scattered by `factor` so that choices do not move together."""
    return np.minimum(((tones * factor) % 1 * counts).astype(np.int64), counts - 1)


class Paint:
    """Surfaces and their textures, ready to be looked up per face."""

    def __init__(self, surfaces: dict[Material, Surface], atlas: Atlas) -> None:
        """Arrange the surfaces in tables; every material needs one."""
        listed = [surfaces[material] for material in Material]
        self.atlas = atlas
        self._colours = [_colours(s.colours) for s in listed]
        self._seconds = [_colours(s.second) for s in listed]
        self._layers = [np.array([atlas.names[name] for name in s.textures]) for s in listed]
        self._tiles = np.array([s.tile for s in listed], dtype=np.float32)
        self._panes = np.array([s.panes for s in listed], dtype=np.float32)

    def _choose(self, lists: list[np.ndarray], buffers: Buffers, factor: float) -> np.ndarray:
        counts = np.array([len(each) for each in lists])
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        chosen = _pick(buffers.tones, factor, counts[buffers.materials])
        return np.concatenate(lists)[starts[buffers.materials] + chosen]

    def albedo(
        self, buffers: Buffers, rng: np.random.Generator, contrast: float, spread: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Unlit colours, float32 `[H, W, 3]` in [0, 1], and `[H, W]`: share of second colour, pane value in [0, 1).

        `rng` draws the brightness of single window panes, which differ by `spread`; `contrast` is a factor on the
        texture's contrast.
        """
        face = buffers.face
        base = self._choose(self._colours, buffers, 1.0) * buffers.gains[:, None]
        second = self._choose(self._seconds, buffers, 7.13)
        layer = self._choose(self._layers, buffers, 3.71).astype(np.int32)
        tiles = SIDE / self._tiles[buffers.materials]
        fineness = tiles.max(axis=1).astype(np.float32)
        across = (buffers.u * tiles[:, 0][face]).astype(np.int32) & (SIDE - 1)
        up = (buffers.v * tiles[:, 1][face]).astype(np.int32) & (SIDE - 1)
        # Texels below one pixel: seen at a slant, the ground shrinks by depth over camera height, taken as 1.6 m.
        texels = buffers.depth / buffers.focal * fineness[face]
        texels *= np.where(buffers.ground, 0.6, 0.0).astype(np.float32)[face] * buffers.depth + 1
        level = (texels > 3).astype(np.int32) + (texels > 12).astype(np.int32)
        flat = ((np.minimum(level, LEVELS - 1) * len(self.atlas.names) + layer[face]) * SIDE + up) * SIDE + across
        texel = np.take(self.atlas.pixels.reshape(-1, 2), flat, axis=0)
        detail = 1 + contrast * (texel[..., 0].astype(np.float32) / 96 - 1)
        share = texel[..., 1].astype(np.float32) / 255
        panes = self._panes[buffers.materials]
        inverse = np.where(panes > 0, 1 / np.maximum(panes, 0.1), 0).astype(np.float32)
        column = (buffers.u * inverse[:, 0][face]).astype(np.int32)
        row = (buffers.v * inverse[:, 1][face]).astype(np.int32)
        values = rng.random(4096, dtype=np.float32)
        # Value 0 stands for all that is no window pane.
        values = np.where(np.arange(8192) < 4096, values[np.arange(8192) & 4095], 0.0).astype(np.float32)
        pane = values[((column * 71 + row * 331 + face * 17) & 4095) + np.where(panes[:, 0] > 0, 0, 4096)[face]]
        colour = base[face]
        glass = second[face] * (1 + spread * (pane - 0.5))[..., None]
        colour += share[..., None] * (glass - colour)
        colour *= detail[..., None]
        return colour, share, pane
