"""Random scale, rotation, shift, crop and flip, image and label together; only this module imports albumentations."""

import os
import random
from typing import Any, Literal, get_args

import cv2
import numpy as np

from segda.data.resize import resize_image, resize_label
from segda.errors import ConfigError
from segda.label_space import IGNORE_INDEX
from segda.seeds import derive_seed

Fill = Literal["grey", "black"]

# The value of pixels outside the image: 0 and -1 in [-1, 1].
_FILLS: dict[Fill, int] = {"grey": 128, "black": 0}


class TrainTransform:
    """Resize, random scale, rotation and shift, crop, flip, in this order: a pure function of `(seed, position)`.

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
        self.crop, self.scale, self.flip, self.seed = crop, scale, flip, seed
        self.rotate, self.shift, self.fill = rotate, shift, fill
        moves = bool(rotate or shift)
        # Without a draw there is no need of albumentations: a call takes longer than reading a digit.
        self._compose = self._steps(moves) if crop is not None or scale is not None or flip or moves else None

    def __call__(
        self, image: np.ndarray, label: np.ndarray | None, position: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Transform one sample.

        Args:
            image: uint8 RGB `[H, W, 3]`; or float32 in `[-1, 1]`, which can be resized and flipped alone.
            label: uint8 `[H, W]`, or `[]` (one class for the whole image, left as it is), or `None`; the geometry of
                the image does not depend on it.
            position: the sample's index in the data order.

        Returns:
            Image and label of the new size, contiguous; 255 where the label was padded.

        Raises:
            ConfigError: `crop`, `scale`, `rotate` or `shift` of a float32 image.
        """
        if self.resize is not None:
            image = resize_image(image, self.resize)
            label = None if label is None else resize_label(label, self.resize)
        if self._compose is None:
            return np.ascontiguousarray(image), label if label is None else np.asarray(label, order="C")
        if image.dtype != np.uint8 and (self.crop or self.scale or self.rotate or self.shift):
            raise ConfigError(
                "augment: only 8-bit pictures are cropped, scaled, rotated or shifted; leave these options out"
            )
        # One pair of generators for the whole chain: `set_random_seed` would give every transform the same seed, and
        # so tie the crop's position to the scale and the flip.
        draws = derive_seed(self.seed, position)
        self._compose.set_random_state(np.random.default_rng(draws), random.Random(draws))
        if label is None or not label.ndim:
            return np.ascontiguousarray(self._compose(image=image)["image"]), label
        done = self._compose(image=image, mask=label)
        return np.ascontiguousarray(done["image"]), np.ascontiguousarray(done["mask"])

    def _steps(self, moves: bool) -> Any:
        # Otherwise albumentations looks for a newer release on the package index when it is imported.
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
        import albumentations

        outside: dict[str, Any] = {"fill": _FILLS[self.fill], "fill_mask": IGNORE_INDEX, "p": 1}
        steps: list[Any] = []
        if self.scale is not None:
            limits = (self.scale[0] - 1, self.scale[1] - 1)
            steps.append(
                albumentations.RandomScale(limits, cv2.INTER_LINEAR, mask_interpolation=cv2.INTER_NEAREST_EXACT, p=1)
            )
        if moves:
            share = (-self.shift, self.shift)
            turn = (-self.rotate, self.rotate)
            steps.append(albumentations.Affine(rotate=turn, translate_percent={"x": share, "y": share}, **outside))
        if self.crop is not None:
            steps.append(albumentations.RandomCrop(self.crop[0], self.crop[1], pad_if_needed=True, **outside))
        if self.flip:
            steps.append(albumentations.HorizontalFlip(p=0.5))
        return albumentations.Compose(steps)
