"""Training geometry on CPU workers, image and label together. The only module that imports albumentations."""

import os
import random
from typing import Any

import cv2
import numpy as np

from segda.data.randomness import derive_seed
from segda.errors import ConfigError
from segda.label_space import IGNORE_INDEX

# Padding around an image that is smaller than the crop: mid-grey, 0 in [-1, 1].
_PADDING = 128


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture: by area averaging where it shrinks, bilinearly where it grows.

    Args:
        image: uint8 `[H, W, 3]`.
        size: `(height, width)`.

    Returns:
        uint8 `[height, width, 3]`; the very same array if it has the size already.
    """
    if image.shape[:2] == size:
        return image
    shrinks = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_label(label: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a label map to `(height, width)` by its nearest pixels: uint8 `[H, W]` to uint8 `[height, width]`."""
    if label.shape == size:
        return label
    # INTER_NEAREST takes the pixel left of the exact place, which shifts labels against the image by half a pixel.
    return cv2.resize(label, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)


class TrainTransform:
    """Resize, random scale, random crop, random flip, in this order: a pure function of `(seed, position)`.

    Args:
        resize: `(height, width)` that every image is brought to first; `None` keeps its own.
        crop: `(height, width)` of the random crop; smaller images are padded, ignored there; `None` for no crop.
        scale: range of the random factor `(low, high)` of both sides; `None` for none.
        flip: mirror left and right with probability one half.
        seed: start of all draws; give each stream its own, `derive_seed(seed, "target", "geometry")`.

    Raises:
        ConfigError: a size below 1, or a scale range that is empty or not positive.
    """

    def __init__(
        self,
        resize: tuple[int, int] | None = None,
        crop: tuple[int, int] | None = None,
        scale: tuple[float, float] | None = None,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        for key, size in (("resize", resize), ("crop", crop)):
            if size is not None and min(size) < 1:
                raise ConfigError(f"{key}: {list(size)}; expected [height, width], each at least 1")
        if scale is not None and not 0 < scale[0] <= scale[1]:
            raise ConfigError(f"scale: {list(scale)}; expected [low, high] with 0 < low <= high")
        self.resize = None if resize is None else (resize[0], resize[1])
        self.crop, self.scale, self.flip, self.seed = crop, scale, flip, seed
        self._compose = _compose(crop, scale, flip)

    def __call__(
        self, image: np.ndarray, label: np.ndarray | None, position: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Transform one sample.

        Args:
            image: uint8 RGB `[H, W, 3]`.
            label: uint8 `[H, W]`, or `None`; the geometry of the image does not depend on it.
            position: the sample's place in the data order.

        Returns:
            Image and label of the new size, contiguous; 255 where the label was padded.
        """
        if self.resize is not None:
            image = resize_image(image, self.resize)
            label = None if label is None else resize_label(label, self.resize)
        # One pair of generators for the whole chain: `set_random_seed` would give every transform the same seed, and
        # so tie the crop's place to the scale and the flip.
        draws = derive_seed(self.seed, position)
        self._compose.set_random_state(np.random.default_rng(draws), random.Random(draws))
        arrays = {"image": image} if label is None else {"image": image, "mask": label}
        done = self._compose(**arrays)
        return np.ascontiguousarray(done["image"]), None if label is None else np.ascontiguousarray(done["mask"])


def _compose(crop: tuple[int, int] | None, scale: tuple[float, float] | None, flip: bool) -> Any:
    # Else albumentations asks the package index for a newer release when it is imported.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    steps: list[Any] = []
    if scale is not None:
        limits = (scale[0] - 1, scale[1] - 1)
        steps.append(
            albumentations.RandomScale(limits, cv2.INTER_LINEAR, mask_interpolation=cv2.INTER_NEAREST_EXACT, p=1)
        )
    if crop is not None:
        steps.append(
            albumentations.RandomCrop(crop[0], crop[1], pad_if_needed=True, fill=_PADDING, fill_mask=IGNORE_INDEX, p=1)
        )
    if flip:
        steps.append(albumentations.HorizontalFlip(p=0.5))
    return albumentations.Compose(steps)
