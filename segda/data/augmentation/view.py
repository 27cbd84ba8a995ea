"""What one random draw shows of a stored picture: which part, how large, turned how, mirrored or not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from segda.data.resize import resize_image, resize_label
from segda.label_space import IGNORE_INDEX


class Turn(NamedTuple):
    """Rotation about the picture's middle, then a shift into the canvas.

    Attributes:
        angle: in degrees, counter-clockwise.
        down: in pixels of the result, like `right`.
        right: in pixels.
    """

    angle: float
    down: float
    right: float


@dataclass(frozen=True)
class View:
    """The geometry of one sample, the same for image and label.

    Attributes:
        whole: `(height, width)` that the stored picture is resized to before it is cut; `None` for its own.
        rows: of the picture that are seen, all of them where it is turned.
        columns: likewise.
        size: `(height, width)` that this part is resized to.
        canvas: `(height, width)` of the result; a smaller part lies in its middle.
        turn: of the part on the canvas; `None` for none.
        flip: whether the result is mirrored left and right.
    """

    whole: tuple[int, int] | None
    rows: slice
    columns: slice
    size: tuple[int, int]
    canvas: tuple[int, int]
    turn: Turn | None
    flip: bool

    def image(self, pixels: np.ndarray, fill: int) -> np.ndarray:
        """What is seen of an image `[H, W, 3]`, contiguous `[*canvas, 3]`, `fill` outside.

        It is averaged by area where it shrinks and bilinear where it grows, each side for itself.
        """
        return self._of(pixels, resize_image, cv2.INTER_LINEAR, fill)

    def label(self, label: np.ndarray) -> np.ndarray:
        """What is seen of a label, uint8 `[H, W]` to contiguous `[*canvas]`: the nearest pixels, 255 outside.

        A label without dimensions, one class for the whole image, stays as it is.
        """
        return self._of(label, resize_label, cv2.INTER_NEAREST, IGNORE_INDEX) if label.ndim else label

    def _of(
        self,
        pixels: np.ndarray,
        resize: Callable[[np.ndarray, tuple[int, int]], np.ndarray],
        interpolation: int,
        fill: int,
    ) -> np.ndarray:
        if self.whole is not None:
            pixels = resize(pixels, self.whole)
        part = pixels[self.rows, self.columns]
        # OpenCV averages by area only where neither side grows.
        smaller = min(part.shape[0], self.size[0]), min(part.shape[1], self.size[1])
        part = resize(resize(part, smaller), self.size)
        if self.turn is not None:
            part = self._turned(part, self.turn, interpolation, fill)
        elif self.size != self.canvas:
            part = self._padded(part, fill)
        return cv2.flip(part, 1) if self.flip else np.ascontiguousarray(part)

    def _turned(self, part: np.ndarray, turn: Turn, interpolation: int, fill: int) -> np.ndarray:
        height, width = part.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn.angle, 1)
        matrix[:, 2] += np.array((turn.right, turn.down))
        return cv2.warpAffine(part, matrix, self.canvas[::-1], flags=interpolation, borderValue=(fill,) * 3)

    def _padded(self, part: np.ndarray, fill: int) -> np.ndarray:
        top, left = ((self.canvas[axis] - self.size[axis]) // 2 for axis in (0, 1))
        padded = np.full((*self.canvas, *part.shape[2:]), fill, part.dtype)
        padded[top : top + self.size[0], left : left + self.size[1]] = part
        return padded
