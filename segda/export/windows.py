"""Translate an image that does not fit into memory: overlapping tiles, blended with smooth weights.

Along each side where a tile meets another, the outermost quarter of the overlap has weight 0, since a network's padding
shows there; over the next half the weight rises as a raised cosine. Two neighbours' weights add up to one. So a network
whose receptive field reaches no further than that quarter gives what it gives for the whole image, and for any other
one a difference between tiles is spread over half the overlap.
"""

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segda.errors import ConfigError


def check(tile: tuple[int, int], overlap: int, grid: int) -> None:
    """Refuse tiles `(height, width)` or an overlap in pixels that do not fit `grid`, the encoders' stride.

    Sizes and positions of tiles must be multiples of the stride.

    Raises:
        ConfigError: names the key.
    """
    if any(side % grid for side in tile):
        fitting = [max(grid, round(side / grid) * grid) for side in tile]
        raise ConfigError(f"tile: {list(tile)}; expected multiples of {grid}, every encoder's stride, as {fitting}")
    if not grid <= overlap <= min(tile) - grid:
        raise ConfigError(
            f"overlap: {overlap}; expected from {grid} to {min(tile) - grid} for tiles of {tile[0]}x{tile[1]}"
        )


def starts(length: int, tile: int, overlap: int, grid: int) -> list[int]:
    """The first pixel of each tile along one axis: multiples of `grid`; the last tile ends where the axis ends.

    A `length` of more than `tile` is a multiple of `grid`; neighbours share at least `overlap` pixels.
    """
    if length <= tile:
        return [0]
    step = (tile - overlap) // grid * grid
    return [*range(0, length - tile, step), length - tile]


def weights(length: int, overlap: int, before: bool, after: bool) -> Tensor:
    """A tile's weights along one axis, `[length]` in `[0, 1]`, with neighbours `before` and `after` it or not."""
    margin = overlap // 4
    position = torch.arange(length, dtype=torch.float64) + 0.5
    weight = torch.ones(length, dtype=torch.float64)
    for is_inner, distance in ((before, position), (after, length - position)):
        if is_inner:
            share = ((distance - margin) / (overlap - 2 * margin)).clamp(0, 1)
            weight = weight * (0.5 - 0.5 * torch.cos(math.pi * share))
    return weight.float()


def translate(
    image: Tensor, function: Callable[[Tensor], Tensor], tile: tuple[int, int], overlap: int, grid: int
) -> Tensor:
    """`function(image)`, computed tile by tile.

    Args:
        image: `[B, C, H, W]`; each side is a multiple of `grid`, or at most the tile's.
        function: from `[B, C, h, w]` to `[B, D, h, w]`, on any device.
        tile: height and width of a tile; an image that fits into one is translated whole.
        overlap: of neighbours, at least, in pixels.
        grid: see `check`.

    Returns:
        `[B, D, H, W]`, on the device of `image`.
    """
    height, width = int(image.shape[-2]), int(image.shape[-1])
    if height <= tile[0] and width <= tile[1]:
        return function(image).to(image.device)
    total: Tensor | None = None
    weight = torch.zeros(height, width, device=image.device)
    for (top, bottom, down), (left, right, across) in _pieces((height, width), tile, overlap, grid):
        output = function(image[..., top:bottom, left:right]).to(image.device)
        if total is None:
            total = torch.zeros(*output.shape[:2], height, width, dtype=output.dtype, device=image.device)
        share = (down[:, None] * across[None, :]).to(image.device)
        total[..., top:bottom, left:right] += output * share
        weight[top:bottom, left:right] += share
    assert total is not None
    return total / weight


def _pieces(
    size: tuple[int, int], tile: tuple[int, int], overlap: int, grid: int
) -> Iterator[tuple[tuple[int, int, Tensor], tuple[int, int, Tensor]]]:
    """The rows and columns of each tile, with their weights."""
    axes = []
    for length, side in zip(size, tile, strict=True):
        axes.append([
            (start, min(start + side, length), weights(min(side, length), overlap, start > 0, start + side < length))
            for start in starts(length, side, overlap, grid)
        ])  # fmt: skip
    yield from itertools.product(*axes)
