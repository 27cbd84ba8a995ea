"""Translate an image that is too large in one piece: overlapping tiles, blended with smooth weights.

Along each side where a tile meets another, its outermost quarter of the overlap counts nothing, since a network's own
padding shows there; over the next half its weight rises as a raised cosine. Two neighbours' weights add up to one, so a
network whose answer at a place does not depend on anything further away than that quarter gives what it gives for the
whole image, and for any other one a difference between tiles is spread over half the overlap.
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segda.errors import ConfigError


def check(tile: tuple[int, int], overlap: int, grid: int) -> None:
    """Refuse tiles that do not fit one another.

    Args:
        tile: height and width.
        overlap: of neighbours, in pixels.
        grid: what sizes and places must be a multiple of: the encoders' stride.

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
    """Where tiles begin along one axis: multiples of `grid`, the last tile flush with the end.

    Args:
        length: of the axis, in pixels; a multiple of `grid` where it is more than `tile`.
        tile: length of a tile.
        overlap: of neighbours at least.
        grid: see `check`.
    """
    if length <= tile:
        return [0]
    step = (tile - overlap) // grid * grid
    return [*range(0, length - tile, step), length - tile]


def weights(length: int, overlap: int, before: bool, after: bool) -> Tensor:
    """A tile's weights along one axis, `[length]` in `[0, 1]`.

    Args:
        length: of the tile.
        overlap: over which neighbours take turns.
        before: whether there is a neighbour at the beginning.
        after: whether there is one at the end.
    """
    margin = overlap // 4
    place = torch.arange(length, dtype=torch.float64) + 0.5
    weight = torch.ones(length, dtype=torch.float64)
    for wanted, distance in ((before, place), (after, length - place)):
        if wanted:
            share = ((distance - margin) / (overlap - 2 * margin)).clamp(0, 1)
            weight = weight * (0.5 - 0.5 * torch.cos(math.pi * share))
    return weight.float()


def translate(
    image: Tensor, function: Callable[[Tensor], Tensor], tile: tuple[int, int], overlap: int, grid: int
) -> Tensor:
    """`function(image)`, worked out tile by tile.

    Args:
        image: `[B, C, H, W]`; each side is a multiple of `grid`, or at most the tile's.
        function: answers `[B, D, h, w]` for `[B, C, h, w]`, wherever it computes.
        tile: height and width of a tile; an image that fits into one is passed on whole.
        overlap: of neighbours at least, in pixels.
        grid: see `check`.

    Returns:
        `[B, D, H, W]`, where `image` is.
    """
    height, width = int(image.shape[-2]), int(image.shape[-1])
    if height <= tile[0] and width <= tile[1]:
        return function(image).to(image.device)
    total: Tensor | None = None
    weight = torch.zeros(height, width, device=image.device)
    for (top, bottom, down), (left, right, across) in _pieces((height, width), tile, overlap, grid):
        answer = function(image[..., top:bottom, left:right]).to(image.device)
        if total is None:
            total = torch.zeros(*answer.shape[:2], height, width, dtype=answer.dtype, device=image.device)
        share = (down[:, None] * across[None, :]).to(image.device)
        total[..., top:bottom, left:right] += answer * share
        weight[top:bottom, left:right] += share
    assert total is not None
    return total / weight


def _pieces(
    size: tuple[int, int], tile: tuple[int, int], overlap: int, grid: int
) -> Iterator[tuple[tuple[int, int, Tensor], tuple[int, int, Tensor]]]:
    """The rows and columns of each tile, with their weights."""
    axes = []
    for length, side in zip(size, tile, strict=True):
        begin = starts(length, side, overlap, grid)
        axes.append([
            (start, min(start + side, length), weights(min(side, length), overlap, start > 0, start + side < length))
            for start in begin
        ])  # fmt: skip
    for rows in axes[0]:
        for columns in axes[1]:
            yield rows, columns
