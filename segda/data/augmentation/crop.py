"""Random scale, rotation, shift, crop and flip, image and label together.

A crop is resampled once: only the part of the stored picture that it shows is cut out and brought to its size.
"""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from segda.data.augmentation.view import Turn, View
from segda.errors import ConfigError
from segda.seeds import derive_seed

Fill = Literal["grey", "black"]

# The value of pixels outside the image: 0 and -1 in [-1, 1].
_FILLS: dict[Fill, int] = {"grey": 128, "black": 0}


class TrainTransform:
    """Resize, random scale, rotation and shift, crop, flip, in this order: a pure function of `(seed, position)`.

    With `scale`, the stored picture is resampled once, to `resize` times the factor; of a crop, the part that it shows.

    Args:
        resize: `(height, width)` of every image before the rest; `None` keeps its size.
        crop: `(height, width)` of the random crop; smaller images are padded, ignored there; `None` for no crop.
        scale: range of the random factor `(low, high)` of both sides; `None` for none.
        flip: mirror left and right with probability one half.
        seed: of all draws; another one for each stream, `derive_seed(seed, "target", "geometry")`.
        rotate: up to so many degrees either way, about the middle; 0 for none.
        shift: up to this share of the height and of the width, either way; 0 for none.
        fill: of the pixels outside the image: mid-grey, or black for digits; ignored in label maps.

    Raises:
        ConfigError: a size below 1, a scale range that is empty or not positive, or `rotate`, `shift` or `fill` out of
            their range.
    """

    def __init__(
        self,
        resize: tuple[int, int] | None = None,
        crop: tuple[int, int] | None = None,
        scale: tuple[float, float] | None = None,
        flip: bool = True,
        seed: int = 0,
        rotate: float = 0.0,
        shift: float = 0.0,
        fill: Fill = "grey",
    ) -> None:
        for key, size in (("resize", resize), ("crop", crop)):
            if size is not None and min(size) < 1:
                raise ConfigError(f"{key}: {list(size)}; expected [height, width], each at least 1")
        if scale is not None and not 0 < scale[0] <= scale[1]:
            raise ConfigError(f"scale: {list(scale)}; expected [low, high] with 0 < low <= high")
        if not 0 <= rotate <= 180:
            raise ConfigError(f"rotate: {rotate}; expected degrees, 0 to 180")
        if not 0 <= shift < 1:
            raise ConfigError(f"shift: {shift}; expected a share of the image's side, at least 0 and below 1")
        if fill not in get_args(Fill):
            raise ConfigError(f"fill: {fill!r}; expected one of {', '.join(get_args(Fill))}")
        self.resize = None if resize is None else (resize[0], resize[1])
        self.crop = None if crop is None else (crop[0], crop[1])
        self.scale, self.flip, self.seed = scale, flip, seed
        self.rotate, self.shift, self.fill = rotate, shift, fill

    def __call__(
        self, image: np.ndarray, label: np.ndarray | None, position: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Transform one sample by the first of its views; arguments and errors as in `apply`.

        Args:
            image: as in `apply`.
            label: as in `apply`; the geometry of the image does not depend on it.
            position: the sample's index in the data order.
        """
        return self.apply(next(self.views((image.shape[0], image.shape[1]), position)), image, label)

    def views(self, size: tuple[int, int], position: int) -> Iterator[View]:
        """The views of a stored picture of `(height, width)`, drawn one after the other, without end.

        View number `n` is a pure function of `(seed, position, n)`.
        """
        draws = np.random.default_rng(derive_seed(self.seed, position))
        while True:
            yield self._view(size, *draws.random(7).tolist())

    def apply(self, view: View, image: np.ndarray, label: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """What a view shows of one sample.

        Args:
            view: one of `views` of the image's size.
            image: uint8 RGB `[H, W, 3]`; or float32 in `[-1, 1]`, which can be resized and flipped alone.
            label: uint8 `[H, W]`, or `[]` (one class for the whole image, left as it is), or `None`.

        Returns:
            Image and label of the new size, contiguous; 255 where the label was padded.

        Raises:
            ConfigError: `crop`, `scale`, `rotate` or `shift` of a float32 image.
        """
        if image.dtype != np.uint8 and (self.crop or self.scale or self.rotate or self.shift):
            raise ConfigError(
                "augment: only 8-bit pictures are cropped, scaled, rotated or shifted; leave these options out"
            )
        return view.image(image, _FILLS[self.fill]), None if label is None else view.label(label)

    def _view(
        self,
        stored: tuple[int, int],
        factor: float,
        top: float,
        left: float,
        flip: float,
        angle: float,
        down: float,
        right: float,
    ) -> View:
        """The view by seven uniform draws in `[0, 1)`; each of them is drawn whether it is used or not."""
        whole = self.resize
        if self.scale is not None:
            low, high = self.scale
            times = low + (high - low) * factor
            height, width = whole or stored
            size = max(round(height * times), 1), max(round(width * times), 1)
            whole = None
        else:
            # Whole pictures are resized as packs hold them, and then cut: the same pixels from files and packs.
            size = stored = whole or stored
        canvas, turn = self.crop or size, None
        if self.rotate or self.shift:
            # Of a turned picture every part may be seen.
            offset = tuple(_start(canvas[axis] - size[axis], draw) for axis, draw in enumerate((top, left)))
            turn = Turn(
                self.rotate * (2 * angle - 1),
                self.shift * (2 * down - 1) * size[0] + offset[0],
                self.shift * (2 * right - 1) * size[1] + offset[1],
            )
            rows, columns = slice(0, stored[0]), slice(0, stored[1])
        else:
            rows, columns = (
                _seen(stored[axis], size[axis], canvas[axis], draw) for axis, draw in enumerate((top, left))
            )
            size = min(size[0], canvas[0]), min(size[1], canvas[1])
        return View(whole, rows, columns, size, canvas, turn, self.flip and flip < 0.5)


def _seen(stored: int, scaled: int, canvas: int, draw: float) -> slice:
    """What a crop shows of one side: as many stored pixels as come nearest to its length, at a random one of them."""
    length = min(max(round(stored * min(canvas / scaled, 1)), 1), stored)
    start = int(draw * (stored - length + 1))
    return slice(start, start + length)


def _start(room: int, draw: float) -> int:
    """Where a picture begins in a canvas that is longer by `room`, in the middle, or shorter, anywhere before it."""
    return room // 2 if room >= 0 else -int(draw * (1 - room))
