"""Sizes: doublings that undo a stride, odd sizes before a halving, images too small for a network."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from segda.errors import ConfigError

# Whether a network is being traced for a file, where no branch may depend on the size; torch 2.6 cannot tell.
is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)

# The least side of which two 5x5 convolutions and two poolings leave a pixel.
LENET_LEAST_SIZE = 16


def doublings(stride: int) -> int:
    """How many doublings undo `stride`.

    Raises:
        ConfigError: `stride` is no power of two.
    """
    count = stride.bit_length() - 1
    if stride < 1 or 2**count != stride:
        raise ConfigError(f"decoder: cannot undo an output stride of {stride}; choose an encoder with a power of two")
    return count


def last_levels(channels: Sequence[int], strides: Sequence[int]) -> dict[int, int]:
    """The index of the last map of each stride from 2 on; smp's encoders give 0 channels where they lack a stage."""
    return {stride: level for level, stride in enumerate(strides) if stride >= 2 and channels[level]}


def lenet_side(size: int, name: str) -> int:
    """Side of the map that two 5x5 convolutions without padding, each pooled, leave of a `size` by `size` image.

    Raises:
        ConfigError: they leave nothing; `name` is what the message calls the network.
    """
    if size < LENET_LEAST_SIZE:
        raise ConfigError(f"{name}: size is {size}, must be {LENET_LEAST_SIZE} or more; use larger images")
    return ((size - 4) // 2 - 4) // 2


def demand_size(x: Tensor, least: int, name: str) -> None:
    """Raise a ConfigError if `[B, C, H, W]` is lower or narrower than `least`, and would shrink to nothing inside."""
    height, width = x.shape[-2:]
    if height < least or width < least:
        raise ConfigError(f"{name}: got {height}x{width} pixels, needs {least}x{least} or more; use a larger crop")


def to_even(x: Tensor) -> Tensor:
    """Repeat the last row and column of `[B, C, H, W]` where their number is odd, so that a halving rounds up."""
    if is_exporting():
        rows, columns = (torch.arange(side + side % 2, device=x.device).clamp(max=side - 1) for side in x.shape[-2:])
        return x.index_select(-2, rows).index_select(-1, columns)
    odd_height, odd_width = x.shape[-2] % 2, x.shape[-1] % 2
    if not odd_height and not odd_width:
        return x
    return functional.pad(x, (0, odd_width, 0, odd_height), mode="replicate")


def resized_to_multiple(x: Tensor, divisor: int) -> Tensor:
    """`[B, C, H, W]` enlarged bilinearly to the next height and width that divide by `divisor`; as it is if they do."""
    height, width = (-(-side // divisor) * divisor for side in x.shape[-2:])
    if not is_exporting() and (height, width) == tuple(x.shape[-2:]):
        return x  # an exported network resizes whatever the size, which changes no value here
    return functional.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)


def reflected_to_multiple(x: Tensor, divisor: int, *, edge: bool = False) -> Tensor:
    """`[B, C, H, W]` padded at bottom and right to the next multiples of `divisor`, whatever its size, by reflection.

    Where a side is too short to be reflected, the last row and column are repeated instead. With `edge` the last row
    and column are reflected, too, and where a side is short its first one is repeated after that. No branch depends on
    the size, so that an exported network takes any.
    """
    sides = [(x.shape[axis], (x.shape[axis] + divisor - 1) // divisor * divisor) for axis in (-2, -1)]
    places = [(torch.arange(padded, device=x.device), side) for side, padded in sides]
    if edge:
        chosen = [torch.minimum(place, 2 * side - 1 - place).clamp(min=0) for place, side in places]
    else:
        mirrored = [side - 1 - (place - (side - 1)).abs() for place, side in places]
        fits = (mirrored[0].min() >= 0) & (mirrored[1].min() >= 0)
        chosen = [
            torch.where(fits, mirror, place.clamp(max=side - 1))
            for mirror, (place, side) in zip(mirrored, places, strict=True)
        ]
    return x.index_select(-2, chosen[0]).index_select(-1, chosen[1])
