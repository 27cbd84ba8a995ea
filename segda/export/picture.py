"""From pixels to the bytes of an image file: PNG, JPEG or lossless WebP."""

from dataclasses import dataclass
from pathlib import PurePath

import cv2
import numpy as np

from segda.errors import ArtefactError
from segda.export.format import ENDINGS, Format

# One filter for all rows, and no search for repetitions but runs: two to three times as fast as level 1 by itself, and
# smaller. OpenCV's defaults differ between releases, so all three options are given. (Without runs, photographs take a
# seventh less time, and rendered images a third more.)
_FAST = [
    cv2.IMWRITE_PNG_COMPRESSION, 1,
    cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE,
]  # fmt: skip
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # since OpenCV 4.12
    _FAST += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]
# Label maps are flat: repetitions other than runs make them far smaller at no cost of time.
_LABEL = [cv2.IMWRITE_PNG_COMPRESSION, 1]
# Any quality above 100 means lossless to OpenCV.
_LOSSLESS = [cv2.IMWRITE_WEBP_QUALITY, 101]


@dataclass(frozen=True)
class Picture:
    """How an export's images are encoded: `png` and `webp` keep every pixel, `jpeg`, of quality 1 to 100, does not."""

    format: Format = "png"
    quality: int = 95

    @property
    def ending(self) -> str:
        """The ending of new files' names."""
        return ENDINGS[self.format][0]

    def encode(self, pixels: np.ndarray) -> bytes:
        """The file of an image, uint8 RGB `[H, W, 3]`.

        Raises:
            ArtefactError: the format cannot hold an image of that size.
        """
        options = {"png": _FAST, "jpeg": [cv2.IMWRITE_JPEG_QUALITY, self.quality], "webp": _LOSSLESS}[self.format]
        return _encoded(self.ending, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)


def encode_label(label: np.ndarray) -> bytes:
    """The PNG of a label map, uint8 `[H, W]`."""
    return _encoded(".png", label, _LABEL)


def decode(content: bytes) -> np.ndarray:
    """The image of a file that `Picture.encode` made, uint8 RGB `[H, W, 3]`.

    Raises:
        ArtefactError: it is damaged.
    """
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ArtefactError(f"an image of {len(content)} bytes is damaged; `segda check EXPORT` names its file")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def format_of(path: PurePath) -> Format | None:
    """The format by the ending of a file's name; `None` for any other ending."""
    ending = path.suffix.lower()
    return next((name for name, endings in ENDINGS.items() if ending in endings), None)


def _encoded(ending: str, pixels: np.ndarray, options: list[int]) -> bytes:
    reason = ""
    try:
        is_encoded, content = cv2.imencode(ending, pixels, options)
        if is_encoded:
            return bytes(content.tobytes())
    except cv2.error as error:
        reason = f" ({error.err})"
    raise ArtefactError(
        f"format: an image of {pixels.shape[0]}x{pixels.shape[1]} pixels does not go into a {ending[1:]} file"
        f"{reason}; use format: png"
    )
