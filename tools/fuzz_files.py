"""Sound files of every format of data that segda reads."""

import bz2
import gzip
import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat

from segda.label_space import load
from segda.labels.cityscapes import id_palette

HEIGHT, WIDTH, COUNT = 12, 16, 4
LABELS = np.array([7, 0, 9, 3])


def pictures(seed: int, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    """Random pixels."""
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


def ids(seed: int, choices: Sequence[int]) -> np.ndarray:
    """Random native ids."""
    return np.random.default_rng(seed).choice(choices, (HEIGHT, WIDTH)).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, palette: bool = False) -> None:
    """Write a picture in the format of its ending, optionally with Cityscapes' palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(id_palette())
    image.save(path)


def idx(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


GREY = np.random.default_rng(0).integers(0, 256, (COUNT, 16, 16), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (COUNT, 16, 16, 3), dtype=np.uint8)


def write_folder(ending: str, **options: Any) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for number in range(2):
            save(root / "images" / "train" / f"{number}{ending}", pictures(number))
            save(root / "labels" / "train" / f"{number}.png", ids(number, (1, 2)))

    return write


def write_sixteen_bits(root: Path) -> None:
    for number in range(2):
        path = root / "images" / "train" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pictures(number, 3, np.uint16) * 257)
        Image.fromarray(ids(number, (1, 2)).astype(np.uint16)).save(made(root / "labels/train") / f"{number}.png")


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_gta5(root: Path) -> None:
    for number in (1, 2, 20801):
        save(root / "images" / f"{number:05d}.png", pictures(number))
        save(root / "labels" / f"{number:05d}.png", ids(number, (7, 8, 11)), palette=True)
    savemat(root / "split.mat", {"trainIds": np.array([[1], [20801]]), "valIds": np.array([[2]])})


def write_synthia(root: Path) -> None:
    save(root / "RGB" / "0000000.png", pictures(0))
    channels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint16)
    channels[:, :, 2] = ids(0, (1, 2, 3))
    assert cv2.imwrite(str(made(root / "GT" / "LABELS") / "0000000.png"), channels)


def write_carla(root: Path) -> None:
    save(root / "CameraRGB" / "1.jpg", pictures(0))
    save(root / "CameraSeg" / "1.png", np.stack([ids(0, (7, 8)), ids(1, (0,)), ids(2, (0,))], axis=2))


def write_camvid(root: Path) -> None:
    save(root / "train" / "1.png", pictures(0))
    save(root / "trainannot" / "1.png", ids(0, (0, 1, 11)))


def write_cityscapes(root: Path) -> None:
    save(root / "leftImg8bit/train/ulm/ulm_000000_000001_leftImg8bit.png", pictures(0))
    save(root / "gtFine/train/ulm/ulm_000000_000001_gtFine_labelIds.png", ids(0, (7, 8, 0)))


def write_mnist(root: Path) -> None:
    made(root)
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(GREY)))
    (root / "train-labels-idx1-ubyte").write_bytes(idx(LABELS.astype(np.uint8)))


def write_usps(root: Path) -> None:
    lines = [
        f"{label + 1} " + " ".join(f"{place}:{2 * value / 255 - 1:.4f}" for place, value in enumerate(row, 1))
        for label, row in zip(LABELS, GREY.reshape(COUNT, -1).tolist(), strict=True)
    ]
    (made(root) / "usps.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))


def write_usps_hdf5(root: Path) -> None:
    with h5py.File(made(root) / "usps.h5", "w") as file:
        file["train/data"] = (GREY.reshape(COUNT, -1) / 255).astype(np.float32)
        file["train/target"] = LABELS


def write_svhn(compressed: bool) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        native = np.where(LABELS == 0, 10, LABELS)[:, None]
        content = {"X": COLOUR.transpose(1, 2, 3, 0), "y": native}
        savemat(made(root) / "train_32x32.mat", content, do_compression=compressed)

    return write


def write_mnist_m(root: Path) -> None:
    for number, picture in enumerate(COLOUR):
        save(root / "mnist_m_train" / f"{number}.png", picture)
    lines = [f"{number}.png {label}" for number, label in enumerate(LABELS)]
    (root / "mnist_m_train_labels.txt").write_text("\n".join(lines))


def write_arrays(root: Path) -> None:
    np.savez(made(root) / "train.npz", images=COLOUR, labels=LABELS)


def write_npy(root: Path) -> None:
    np.save(made(root) / "images.npy", COLOUR)
    np.save(root / "labels.npy", LABELS)


def write_points(root: Path) -> None:
    np.savez(made(root) / "train.npz", points=np.linspace(-1, 1, 8).reshape(4, 2), labels=LABELS % 2)


def write_class_folders(root: Path) -> None:
    for number in range(10):
        save(root / str(number) / "1.jpg", pictures(number))


def write_adapted(root: Path) -> None:
    classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    content = {"space": "digits", "classes": classes, "keys": ["a", "b"], "labels": [1, 2], "format": "png",
               "layout": "segda", "files": {"images/a.png": {"bytes": 1, "sha256": ""}}}  # fmt: skip
    for number, key in enumerate(("a", "b")):
        save(root / "images" / f"{key}.png", pictures(number))
    content["files"] = {"images/a.png": {"bytes": (root / "images/a.png").stat().st_size, "sha256": ""}}
    (root / "dataset.json").write_text(json.dumps(content))


def write_adapted_maps(root: Path) -> None:
    classes = list(load("camvid").classes)
    content = {"space": "camvid", "classes": classes, "keys": ["a"], "layout": "segda", "format": "webp"}
    save(root / "images" / "a.webp", pictures(0))
    save(root / "labels" / "a.png", ids(0, (0, 1, 255)))
    (root / "dataset.json").write_text(json.dumps(content))
