"""Draw docs/images/zone_plate.png: rings that become finer outwards, at a quarter of their size, in two panels.

    python -m tools.zone_plate --out docs/images/zone_plate.png

On the left a crop of `TrainTransform`, on the right the same region resized bilinearly by OpenCV.
"""

import argparse
import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from segda.data.augmentation.crop import TrainTransform
from segda.files import write_whole

SIDE, FACTOR, GAP = 880, 4, 12


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("zone_plate.png"), help="the file to write (./zone_plate.png)")
    write_whole(parser.parse_args().out, draw())


def draw() -> bytes:
    """Two panels side by side in 16 levels of grey, as a PNG."""
    seen = SIDE // FACTOR
    plate = rings(SIDE)
    crop, _ = TrainTransform(crop=(seen, seen), scale=(1 / FACTOR, 1 / FACTOR), flip=False)(plate, None, 0)
    bilinear = cv2.resize(plate, (seen, seen), interpolation=cv2.INTER_LINEAR)
    panels = np.hstack([crop, np.full((seen, GAP, 3), 255, np.uint8), bilinear])
    file = io.BytesIO()
    Image.fromarray(panels[:, :, 0]).quantize(16, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def rings(side: int) -> np.ndarray:
    """A zone plate, uint8 `[side, side, 3]`, with a period of two pixels where it touches the border."""
    place = np.arange(side) - (side - 1) / 2
    level = 127.5 * (1 + np.cos(np.pi / side * (place[:, None] ** 2 + place**2)))
    return np.dstack([level.round().astype(np.uint8)] * 3)


if __name__ == "__main__":
    main()
