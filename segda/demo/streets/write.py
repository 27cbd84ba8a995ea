"""Write the two data sets of streets to disk, file by file, so that a stopped writer can resume."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import cv2
import numpy as np
from PIL import Image

from segda.demo.streets import camera as camera_appearance
from segda.demo.streets import ids
from segda.demo.streets import rendered as rendered_appearance
from segda.demo.streets.scene import make
from segda.errors import DataError
from segda.files import is_there, write_whole

#: Raised whenever a picture or label of the same seed changes.
VERSION = 1
#: Invented towns, by split of the camera's data set; pictures take turns.
CITIES = {"train": ("ashford", "brunnen", "corvin"), "val": ("delmont", "eichen")}

_RECORD = "streets.json"


def write(
    folder: Path,
    *,
    rendered: int,
    camera_train: int,
    camera_val: int,
    size: tuple[int, int],
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write `folder/rendered` in GTA5's layout and `folder/camera` in Cityscapes' layout.

    Existing files stay as they are, and every file appears whole or not at all. A scene depends on nothing but the
    seed, the domain, the split and its number, so a writer that was stopped anywhere ends with the same bytes.

    Args:
        folder: made when it is missing.
        rendered: number of rendered pictures, `images/00001.png` with the palette PNG `labels/00001.png`.
        camera_train: number of camera pictures in split `train`.
        camera_val: number of camera pictures in split `val`.
        size: (height, width) of the pictures in pixels, at least (32, 32).
        seed: of all scenes.
        progress: called with the number of pictures done.

    Raises:
        DataError: the folder holds streets of other settings, or the size or a count is too small.
        ArtefactError: a file cannot be written.
    """
    if min(size) < 32 or min(rendered, camera_train, camera_val) < 0:
        raise DataError(
            f"streets: size {size} with {rendered}, {camera_train} and {camera_val} pictures; "
            "give sizes of at least 32 and counts of at least 0"
        )
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"rendered": rendered, "camera_train": camera_train, "camera_val": camera_val}
    _record(folder / _RECORD, {"version": VERSION, "seed": seed, "size": list(size), **counts})
    for index in range(rendered):
        name = f"{index + 1:05d}.png"
        root = folder / "rendered"
        _write_pair(root / "images" / name, root / "labels" / name, "rendered", "train", index, size, seed)
        progress(index + 1)
    done = rendered
    for split, count in (("train", camera_train), ("val", camera_val)):
        for index in range(count):
            city = CITIES[split][index % len(CITIES[split])]
            stem, root = f"{city}_000000_{index + 1:06d}", folder / "camera"
            image = root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png"
            label = root / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png"
            _write_pair(image, label, "camera", split, index, size, seed)
            done += 1
            progress(done)


def draw(domain: str, split: str, index: int, size: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture `index` of a domain's split, uint8 RGB `[H, W, 3]`, and its raw Cityscapes ids, uint8 `[H, W]`."""
    appearance = {"rendered": rendered_appearance, "camera": camera_appearance}[domain]
    # One stream for the scene and one for its appearance: tuning an appearance leaves the scenes as they are.
    name = f"streets/{seed}/{domain}/{split}/{index}"
    scene = make(appearance.LAYOUT, Random(f"{name}/scene"))
    return appearance.draw(scene, size, Random(f"{name}/appearance"))


def _record(path: Path, settings: dict[str, object]) -> None:
    """Record the settings next to the data, or compare them with those recorded."""
    if not path.exists():
        write_whole(path, (json.dumps(settings) + "\n").encode())
        return
    try:
        recorded = json.loads(path.read_text())
    except ValueError:
        recorded = "no JSON"
    if recorded != settings:
        raise DataError(f"{path}: found {recorded}, expected {settings}; choose another folder or delete this one")


def _write_pair(
    image: Path, label: Path, domain: str, split: str, index: int, size: tuple[int, int], seed: int
) -> None:
    if is_there(image) and is_there(label):
        return
    picture, ids_of_pixels = draw(domain, split, index, size, seed)
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    if not is_there(label):
        write_whole(label, _palette_png(ids_of_pixels) if domain == "rendered" else _png(ids_of_pixels), durable=False)
    if not is_there(image):
        write_whole(image, _png(picture[..., ::-1]), durable=False)


def _png(pixels: np.ndarray) -> bytes:
    _, coded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return coded.tobytes()


def _palette_png(label: np.ndarray) -> bytes:
    """A PNG whose pixels are palette indices, the raw ids, as in GTA5."""
    stored = Image.fromarray(label, mode="L")
    stored.putpalette(ids.PALETTE.tobytes())
    buffer = io.BytesIO()
    stored.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
