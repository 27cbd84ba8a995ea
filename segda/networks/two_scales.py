"""An image at two scales: all of it at half its resolution, and crops of half its height and width as they are.

Source: Hoyer et al., HRDA (arXiv:2204.13132), section 3: context and detail crops, and windows in their place where
all of an image is predicted.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from segda.networks.layers.resolution import resized_to_multiple

Corners = list[tuple[int, int]]
"""Row and column of the first pixel of each image's crop."""


class TwoScales(list[Tensor]):
    """The pyramid of the image at half its resolution, as any list of features, and with it those of its crops.

    Attributes:
        details: the pyramids of crops, one crop of each image in each.
        windows: where these crops are.
    """

    def __init__(self, context: list[Tensor], details: list[list[Tensor]], windows: list[Corners]) -> None:
        super().__init__(context)
        self.details = details
        self.windows = windows


def encode(
    encoder: Callable[[Tensor], list[Tensor]], image: Tensor, multiple: int, corners: Corners | None
) -> TwoScales:
    """The features of `[B, 3, H, W]` at both scales, by `encoder`.

    Crops lie on multiples of `multiple`: at `corners`, or without them all over the image, each half over the next. An
    image whose size does not divide by twice that is enlarged to one that does.
    """
    grown = resized_to_multiple(image, 2 * multiple)
    height, width = int(grown.shape[-2]), int(grown.shape[-1])
    if corners is None:
        places = [(top, left) for top in _places(height, multiple) for left in _places(width, multiple)]
        windows = [[place] * len(image) for place in places]
    else:
        windows = [corners]
    context = functional.interpolate(grown, size=(height // 2, width // 2), mode="bilinear", align_corners=False)
    return TwoScales(encoder(context), [encoder(cut(grown, each)) for each in windows], windows)


def cut(x: Tensor, corners: Corners) -> Tensor:
    """The crop of half the height and width of each of `[B, ..., H, W]`, at its corner."""
    height, width = int(x.shape[-2]) // 2, int(x.shape[-1]) // 2
    places = zip(x, corners, strict=True)
    return torch.stack([each[..., top : top + height, left : left + width] for each, (top, left) in places])


def drawn(size: Sequence[int], multiple: int, rows: Tensor, columns: Tensor) -> Corners:
    """Corners on multiples of `multiple` in images of `size`, by draws `[B]` in `[0, 1)` for the row and the column."""
    counts = [int(side) // 2 // multiple + 1 for side in size]
    return [
        (int(row * counts[0]) * multiple, int(column * counts[1]) * multiple)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def _places(side: int, multiple: int) -> list[int]:
    """The first pixels of three windows of half a side, each half over the next."""
    return sorted({0, side // 4 // multiple * multiple, side // 2})
