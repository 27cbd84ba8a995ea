"""Tiny data sets in the layouts as published, written to a folder that is SEGDA_DATA."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from segda import label_space
from segda.label_spaces.cityscapes import id_palette

CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33, 0, 3)
SYNTHIA_IDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 17, 19, 21, 22)


def write_image(path: Path, height: int, width: int, seed: int) -> None:
    """A blurred random picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(coarse, (width, height)))


def ids(height: int, width: int, seed: int, choices: tuple[int, ...]) -> np.ndarray:
    """Blocks of random ids."""
    coarse = np.random.default_rng(seed).choice(choices, (4, 6)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)


def write_palette_label(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    image.putpalette(id_palette())
    image.save(path)


def gta5(data: Path, number: int = 4, height: int = 52, width: int = 96) -> Path:
    """`gta5/images`, `gta5/labels`: palette PNGs; one of the frames whose label has another size."""
    root = data / "gta5"
    for name in (*range(1, number), 20801):
        write_image(root / "images" / f"{name:05d}.png", height, width, name)
        odd = 2 if name == 20801 else 0
        write_palette_label(root / "labels" / f"{name:05d}.png", ids(height + odd, width + odd, name, CITYSCAPES_IDS))
    return root


def cityscapes(data: Path, train: int = 3, val: int = 2, height: int = 48, width: int = 96) -> Path:
    """`cityscapes/leftImg8bit` and `gtFine`, one city a split."""
    root = data / "cityscapes"
    for split, city, count in (("train", "aachen", train), ("val", "lindau", val)):
        for number in range(count):
            name = f"{city}_000000_{number:06d}"
            write_image(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", height, width, 50 + number)
            label = root / "gtFine" / split / city / f"{name}_gtFine_labelIds.png"
            label.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(ids(height, width, number, CITYSCAPES_IDS)).save(label)
            # Part of the published archive, and not read.
            write_image(label.with_name(f"{name}_gtFine_color.png"), height, width, number)
    return root


def synthia(data: Path, number: int = 3, height: int = 56, width: int = 96) -> Path:
    """`synthia/RGB`, `synthia/GT/LABELS`: 16-bit, the class in the last channel as OpenCV reads it."""
    root = data / "synthia"
    for index in range(number):
        write_image(root / "RGB" / f"{index:07d}.png", height, width, 80 + index)
        label = root / "GT" / "LABELS" / f"{index:07d}.png"
        label.parent.mkdir(parents=True, exist_ok=True)
        channels = np.zeros((height, width, 3), dtype=np.uint16)
        channels[:, :, 1] = np.random.default_rng(index).integers(0, 40000, (height, width))  # numbers of instances
        channels[:, :, 2] = ids(height, width, index, SYNTHIA_IDS)
        assert cv2.imwrite(str(label), channels)
    return root


def write_label(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def foggy_cityscapes(data: Path, height: int = 48, width: int = 96) -> Path:
    """The images of `cityscapes` in three levels of fog each."""
    root = cityscapes(data, height=height, width=width)
    for image in sorted((root / "leftImg8bit").rglob("*.png")):
        for number, level in enumerate(("0.005", "0.01", "0.02")):
            foggy = root / "leftImg8bit_foggy" / image.relative_to(root / "leftImg8bit")
            write_image(foggy.with_name(f"{image.stem}_foggy_beta_{level}.png"), height, width, number)
    return root


def acdc(data: Path, height: int = 48, width: int = 96) -> Path:
    """`acdc/rgb_anon/<condition>/<split>` with reference images; all label files for `train` and `val`."""
    root = data / "acdc"
    for condition, sequence in (("fog", "GOPR0475"), ("night", "GOPR0351")):
        for number, split in enumerate(("train", "train_ref", "val", "test")):
            frame = Path(condition, split, sequence, f"{sequence}_frame_00000{number}")
            kind = "rgb_ref_anon" if split == "train_ref" else "rgb_anon"
            write_image(root / "rgb_anon" / f"{frame}_{kind}.png", height, width, number)
            if split in ("train", "val"):
                label = root / "gt" / f"{frame}_gt"
                write_label(Path(f"{label}_labelTrainIds.png"), ids(height, width, number, (*range(19), 255)))
                for other in ("labelIds", "labelColor", "invIds"):
                    write_label(Path(f"{label}_{other}.png"), np.zeros((height, width), np.uint8))
    return root


def dark_zurich(data: Path, height: int = 48, width: int = 96) -> Path:
    """`dark_zurich/rgb_anon/<split>/<condition>`; labels for `val` alone."""
    root = data / "dark_zurich"
    for number, place in enumerate(("train/day/GOPR0345", "train/night/GOPR0345", "val/night/GOPR0356")):
        frame = f"{place}/{place[-8:]}_frame_00000{number}"
        write_image(root / "rgb_anon" / f"{frame}_rgb_anon.png", height, width, number)
        if place.startswith("val"):
            label = root / "gt" / f"{frame}_gt_labelTrainIds.png"
            write_label(label, ids(height, width, number, (*range(19), 255)))
    return root


def idd(data: Path, height: int = 48, width: int = 96) -> Path:
    """`idd/leftImg8bit` in PNG and JPEG, `idd/gtFine` with polygons and the labels made of them."""
    root = data / "idd"
    for split in ("train", "val"):
        for number, kind in enumerate(("png", "jpg")):
            frame = f"{split}/{number:03d}/frame{number}"
            write_image(root / "leftImg8bit" / f"{frame}_leftImg8bit.{kind}", height, width, number)
            label = root / "gtFine" / f"{frame}_gtFine_labellevel3Ids.png"
            write_label(label, ids(height, width, number, (*range(26), 255)))
            label.with_name(f"frame{number}_gtFine_polygons.json").write_text("{}")
    return root


def bdd100k(data: Path, height: int = 48, width: int = 96) -> Path:
    """`bdd100k/images/10k` and `labels/sem_seg/masks`, with the coloured labels that are published beside them."""
    root = data / "bdd100k"
    for split, number in (("train", 2), ("val", 2)):
        for name in ("0a0a0b1a-7c39d841", "7d06fefd-f7be05a6")[:number]:
            write_image(root / "images/10k" / split / f"{name}.jpg", height, width, number)
            label = ids(height, width, number, (*range(19), 255))
            write_label(root / "labels/sem_seg/masks" / split / f"{name}.png", label)
            write_image(root / "labels/sem_seg/colormaps" / split / f"{name}.png", height, width, number)
    return root


def mapillary_vistas(data: Path, height: int = 48, width: int = 96) -> Path:
    """`mapillary_vistas/<split>` with the labels of both versions; palette PNGs of 66 classes in version 1.2."""
    root = data / "mapillary_vistas"
    for split in ("training", "validation"):
        for number, name in enumerate(("_1Gn_xkw7sa_i9GU4mkxxQ", "ZZdz2MYQqkcGQy0RVVVtKg")):
            write_image(root / split / "images" / f"{name}.jpg", height, width, number)
            label = ids(height, width, number, tuple(range(66)))
            write_palette_label(root / split / "v1.2/labels" / f"{name}.png", label)
            write_palette_label(root / split / "v2.0/labels" / f"{name}.png", label + 50)
    return root


def urbansyn(data: Path, height: int = 48, width: int = 96) -> Path:
    """`urbansyn/rgb`, `ss` and the coloured labels."""
    root = data / "urbansyn"
    for number in (1, 2):
        write_image(root / f"rgb/rgb_{number:04d}.png", height, width, number)
        write_label(root / f"ss/ss_{number:04d}.png", ids(height, width, number, tuple(range(20))))
        write_image(root / f"ss_colour/ss_colour_{number:04d}.png", height, width, number)
    return root


def synscapes(data: Path, height: int = 48, width: int = 96) -> Path:
    """`synscapes/img/rgb`, `img/class` and the numbers of instances."""
    root = data / "synscapes"
    for number in (1, 2):
        write_image(root / f"img/rgb/{number}.png", height, width, number)
        write_label(root / f"img/class/{number}.png", ids(height, width, number, CITYSCAPES_IDS))
        write_image(root / f"img/instance/{number}.png", height, width, number)
    return root


def virtual_kitti2(data: Path, height: int = 48, width: int = 96) -> Path:
    """Two drives in two conditions, both cameras; coloured labels."""
    root = data / "virtual_kitti2"
    colours = np.array(
        [[100, 60, 100], [140, 140, 140], [0, 199, 0], [90, 240, 0], [255, 127, 80], [80, 80, 80]], np.uint8
    )
    for drive in ("Scene01/clone", "Scene01/fog", "Scene20/clone"):
        for camera in ("Camera_0", "Camera_1"):
            frames = root / drive / "frames"
            write_image(frames / "rgb" / camera / "rgb_00000.jpg", height, width, 0)
            label = colours[ids(height, width, 0, tuple(range(len(colours))))]
            write_label(frames / "classSegmentation" / camera / "classgt_00000.png", label)
    return root


def visda(data: Path) -> Path:
    """`visda/train` and `validation`, a folder a class, with the lists that are published beside them."""
    root = data / "visda"
    for split, kind in (("train", "png"), ("validation", "jpg")):
        for number, name in enumerate(label_space.load("visda").classes):
            write_image(root / split / name / f"{name}_{number}.{kind}", 32, 32, number)
        (root / split / "image_list.txt").write_text("aeroplane/aeroplane_0.png 0\n")
    return root


def office_home(data: Path) -> Path:
    """Two of the four domains."""
    root = data / "office_home"
    for domain in ("Art", "Real World"):
        for number, name in enumerate(label_space.load("office_home").classes):
            write_image(root / domain / name / "00001.jpg", 24, 32, number)
    return root
