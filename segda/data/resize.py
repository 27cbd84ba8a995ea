"""Resize images and label maps."""

import cv2
import numpy as np


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize uint8 or float32 `[H, W, 3]` to `(height, width)`: by area averaging where it shrinks, else bilinearly.

    Returns the same array if it has the size already.
    """
    if image.shape[:2] == size:
        return image
    shrinks = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_label(label: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a label map to `(height, width)` by its nearest pixels: uint8 `[H, W]` to uint8 `[height, width]`.

    A label without dimensions, one class for the whole image, stays as it is.
    """
    if label.shape in (size, ()):
        return label
    # INTER_NEAREST takes the pixel left of the exact position, which shifts labels against the image by half a pixel.
    return cv2.resize(label, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
