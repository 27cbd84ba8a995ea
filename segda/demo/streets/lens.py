"""From light to a stored photograph: lens, sensor, colour response and compression."""

import cv2
import numpy as np


def photograph(
    light: np.ndarray,
    rng: np.random.Generator,
    *,
    exposure: float,
    balance: tuple[float, float, float],
    saturation: float,
    vignette: float,
    blur: float,
    motion: float,
    bloom: float,
    noise: float,
    quality: int,
) -> np.ndarray:
    """Take a photograph, uint8 RGB `[H, W, 3]`, of display-referred colours, float32 `[H, W, 3]` RGB where 1 is white.

    Exposure is a factor on light, balance one on red, green and blue; all other options are those of the camera's
    `Look`, in the same units. `rng` draws the sensor's noise.
    """
    height, width = light.shape[:2]
    picture = np.clip(light, 0, 2) ** 1.4
    glare = cv2.GaussianBlur(np.maximum(picture - 0.6, 0), (0, 0), width / 24)
    picture += bloom * 4 * glare
    picture = cv2.GaussianBlur(picture, (0, 0), max(blur, 0.1))
    if motion > 0.5:
        picture = _smear(picture, motion)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2
    picture *= (exposure * (1 - vignette * radius))[..., None] * np.array(balance, dtype=np.float32)
    # Shot noise grows with the root of the light; read noise does not. Neighbours share some of it after demosaicing.
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    grain = 0.7 * grain + 0.9 * cv2.GaussianBlur(grain, (0, 0), 0.8)
    picture += noise * grain * np.sqrt(np.maximum(picture, 0) * 1.6 + 0.12)
    grey = picture @ np.array([0.3, 0.59, 0.11], dtype=np.float32)
    picture = grey[..., None] + saturation * (picture - grey[..., None])
    # A film-like curve: lifted blacks, a soft shoulder.
    picture = np.maximum(picture, 0)
    picture = 0.02 + 0.98 * (picture * (1 + picture * 0.12) / (picture + 0.28)) ** 0.95
    stored = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", stored[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: np.ndarray = cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return np.ascontiguousarray(decoded[..., ::-1])


def _smear(picture: np.ndarray, length: float) -> np.ndarray:
    kernel = np.zeros((1, 5), dtype=np.float32)
    kernel[0] = np.clip((length + 1) / 2 - np.abs(np.arange(5) - 2), 0, 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())
