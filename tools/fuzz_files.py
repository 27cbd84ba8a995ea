"""Valid files of every format of data that segda reads."""

import bz2
import gzip
import io
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
from segda.label_spaces.cityscapes import id_palette

HEIGHT, WIDTH, COUNT = 12, 16, 4
LABELS = np.array([7, 0, 9, 3])
GREY = np.random.default_rng(0).integers(0, 256, (COUNT, 16, 16), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (COUNT, 16, 16, 3), dtype=np.uint8)

Files = dict[str, Any]
"""Content by path: bytes, text, pixels, bands, or a label that gets Cityscapes' palette."""


def pictures(seed: int, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    """Random pixels."""
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


def ids(seed: int, choices: Sequence[int], dtype: Any = np.uint8) -> np.ndarray:
    """Random native ids."""
    return np.random.default_rng(seed).choice(choices, (HEIGHT, WIDTH)).astype(dtype)


def write(files: Files, root: Path) -> None:
    """Write files below a folder, pictures in the format of their ending."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):  # bands, a page each
            assert cv2.imwritemulti(str(path), content)
        elif isinstance(content, np.ndarray) and content.dtype == np.uint16:
            assert cv2.imwrite(str(path), content)
        elif isinstance(content, np.ndarray):
            Image.fromarray(content).save(path)
        elif isinstance(content, Image.Image):
            content.putpalette(id_palette())
            content.save(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def idx(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def saved(save_to: Callable[..., object], *content: Any, **options: Any) -> bytes:
    """What a function writes to a file."""
    buffer = io.BytesIO()
    save_to(buffer, *content, **options)
    return buffer.getvalue()


def _hdf5(buffer: io.BytesIO, arrays: dict[str, np.ndarray]) -> None:
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def _usps() -> bytes:
    lines = [
        f"{label + 1} " + " ".join(f"{column}:{2 * value / 255 - 1:.4f}" for column, value in enumerate(row, 1))
        for label, row in zip(LABELS, GREY.reshape(COUNT, -1).tolist(), strict=True)
    ]
    return bz2.compress("\n".join(lines).encode())


def folder(ending: str) -> Files:
    """Two pairs for the reader of folders."""
    labels: Files = {f"labels/train/{number}.png": ids(number, (1, 2)) for number in range(2)}
    return labels | {f"images/train/{number}{ending}": pictures(number) for number in range(2)}


def _dataset(space: str, classes: Sequence[str], keys: Sequence[str], **content: Any) -> str:
    """The description of an exported data set."""
    return json.dumps({"space": space, "classes": classes, "keys": keys, "layout": "segda", **content})


def _lying() -> bytes:
    """A photograph that is stored lying."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(Image.fromarray(pictures(0)).save, format="jpeg", exif=exif)


_SVHN = {"X": COLOUR.transpose(1, 2, 3, 0), "y": np.where(LABELS == 0, 10, LABELS)[:, None]}
_ZEROS = ids(0, (0,))
_PNG = saved(Image.fromarray(pictures(0)).save, format="png")
_SPLIT = {"trainIds": np.array([[1], [20801]]), "valIds": np.array([[2]])}

FILES: dict[str, Files] = {
    "image16.png": {
        **{f"images/train/{number}.png": pictures(number, 3, np.uint16) * 257 for number in range(2)},
        **{f"labels/train/{number}.png": ids(number, (1, 2), np.uint16) for number in range(2)},
    },
    "gta5": {
        "split.mat": saved(savemat, _SPLIT),
        **{f"images/{number:05d}.png": pictures(number) for number in (1, 2, 20801)},
        **{f"labels/{number:05d}.png": Image.fromarray(ids(number, (7, 8, 11))) for number in (1, 2, 20801)},
    },
    "synthia": {
        "RGB/0000000.png": pictures(0),
        "GT/LABELS/0000000.png": np.stack([_ZEROS, _ZEROS, ids(0, (1, 2, 3))], axis=2).astype(np.uint16),
    },
    "carla": {
        "CameraRGB/1.jpg": pictures(0),
        "CameraSeg/1.png": np.stack([ids(0, (7, 8)), _ZEROS, _ZEROS], axis=2),
    },
    "camvid": {"train/1.png": pictures(0), "trainannot/1.png": ids(0, (0, 1, 11))},
    "cityscapes": {
        "leftImg8bit/train/ulm/ulm_000000_000001_leftImg8bit.png": pictures(0),
        "gtFine/train/ulm/ulm_000000_000001_gtFine_labelIds.png": ids(0, (7, 8, 0)),
    },
    "acdc": {
        "rgb_anon/night/train/a/1_rgb_anon.png": pictures(0),
        "gt/night/train/a/1_gt_labelTrainIds.png": ids(0, (0, 13, 255)),
    },
    "idd": {
        "leftImg8bit/train/0/1_leftImg8bit.jpg": pictures(0),
        "gtFine/train/0/1_gtFine_labellevel3Ids.png": ids(0, (0, 9, 255)),
    },
    "foggy": {
        **{f"leftImg8bit_foggy/train/ulm/1_leftImg8bit_foggy_beta_{beta}.png": pictures(0) for beta in (0.01, 0.02)},
        "gtFine/train/ulm/1_gtFine_labelIds.png": ids(0, (7, 26)),
    },
    "list": {**folder(".png"), "lists/train.txt": "images/train/0.png labels/train/0.png\r\n# one\r\n1\r\n"},
    "bands": {"images/train/0.tif": [pictures(band, 1, np.uint16) for band in range(5)],
              "labels/train/0.png": ids(0, (1, 2))},
    "lying": {"images/train/0.jpg": _lying(), "labels/train/0.png": ids(0, (1, 2)).T.copy()},
    "bits": {"images/train/0.png": pictures(0),
             "labels/train/0.png": saved(Image.fromarray(ids(0, (0, 255))).convert("1").save, format="png")},
    "beside": {"train/0.png": pictures(0), "train/0_mask.png": ids(0, (1, 2))},
    "mnist": {
        "train-images-idx3-ubyte.gz": gzip.compress(idx(GREY), mtime=0),
        "train-labels-idx1-ubyte": idx(LABELS.astype(np.uint8)),
    },
    "usps": {"usps.bz2": _usps()},
    "usps.h5": {"usps.h5": saved(_hdf5, {
        "train/data": (GREY.reshape(COUNT, -1) / 255).astype(np.float32), "train/target": LABELS})},
    "svhn": {"train_32x32.mat": saved(savemat, _SVHN, do_compression=True)},
    "svhn plain": {"train_32x32.mat": saved(savemat, _SVHN)},
    "mnist_m": {
        **{f"mnist_m_train/{number}.png": picture for number, picture in enumerate(COLOUR)},
        "mnist_m_train_labels.txt": "\n".join(f"{number}.png {label}" for number, label in enumerate(LABELS)),
    },
    "arrays": {"train.npz": saved(np.savez, images=COLOUR, labels=LABELS)},
    "npy": {"images.npy": saved(np.save, COLOUR), "labels.npy": saved(np.save, LABELS)},
    "points": {"train.npz": saved(np.savez, points=np.linspace(-1, 1, 8).reshape(4, 2), labels=LABELS % 2)},
    "class_folders": {f"{number}/1.jpg": pictures(number) for number in range(10)},
    "adapted": {
        "images/a.png": _PNG, "images/b.png": pictures(1),
        "dataset.json": _dataset("digits", list("0123456789"), ["a", "b"], labels=[1, 2], format="png",
                                 files={"images/a.png": {"bytes": len(_PNG), "sha256": ""}}),
    },
    "adapted maps": {
        "images/a.webp": pictures(0), "labels/a.png": ids(0, (0, 1, 255)),
        "dataset.json": _dataset("camvid", load("camvid").classes, ["a"], format="webp"),
    },
}  # fmt: skip
"""By format; those of folders are made by `folder`."""
