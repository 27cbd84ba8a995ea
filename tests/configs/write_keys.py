"""The key of every stage of all shipped pipelines, planned on stand-ins for the published data.

`keys.json` has them as of the last commit that was meant to change one. A run looks for results in a user's `runs`
folder by these keys: when one changes by accident, everything is trained again. If an issue asks for another key, write
the file again, look at its diff, and name the change in the commit:

    python -m tests.configs.write_keys

A key depends on file names and sizes, and on the bytes of archives and weights. Images are not opened for it, so they
are stand-ins of fixed bytes: what an image encoder writes differs with its version.
"""

import json
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
from scipy.io import savemat

from pipelines.definition import loading as pipelines
from pipelines.planning import plan as plans
from segda.artefacts.store import Store
from segda.label_space import load

FILE = Path(__file__).with_name("keys.json")
PIPELINES = tuple(sorted(path.stem for path in (Path(__file__).parents[2] / "configs" / "pipelines").glob("*.yaml")))
DIGITS = 20_000
"""Images of each digit set: as many as the largest `subset` of a pipeline asks for."""


def write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def write_data(data: Path) -> None:
    """Stand-ins at the published paths of every data set and weights file that a shipped pipeline names."""
    driving = {
        "gta5/images/{}.png": "gta5/labels/{}.png",
        "synthia/RGB/{}.png": "synthia/GT/LABELS/{}.png",
        "driving/carla/CameraRGB/{}.png": "driving/carla/CameraSeg/{}.png",
    }
    for drive, split in (("0001TP", "train"), ("0006R0", "train"), ("0016E5", "train"), ("0016E5", "val")):
        driving[f"driving/camvid/{split}/{drive}_{{}}.png"] = f"driving/camvid/{split}annot/{drive}_{{}}.png"
    for city in ("train/aachen", "val/lindau"):
        image, label = f"leftImg8bit/{city}/{{}}_leftImg8bit.png", f"gtFine/{city}/{{}}_gtFine_labelIds.png"
        driving[f"cityscapes/{image}"] = f"cityscapes/{label}"
    for split in ("train", "val"):
        image, label = (
            f"rgb_anon/fog/{split}/GOPR0475/{{}}_rgb_anon.png",
            f"gt/fog/{split}/GOPR0475/{{}}_gt_labelTrainIds.png",
        )
        driving[f"acdc/{image}"] = f"acdc/{label}"
    for image, label in driving.items():
        for number in (1, 2, 3):
            write(data / image.format(f"{number:05d}"), image.encode() * number)
            write(data / label.format(f"{number:05d}"), label.encode() * number)
    for domain in ("amazon", "webcam"):
        for number, name in enumerate(load("office31").classes, 1):
            write(data / "office31" / domain / name / "frame_0001.jpg", domain.encode() * number)
    write(data / "weights" / "mobilenet_v2-imagenet.pth", b"weights")
    for name in ("mit_b5.pth", "dinov2_base.safetensors", "densenet169-imagenet.safetensors"):
        write(data / "weights" / name, name.encode())
    write_digits(data / "digits")


def write_digits(folder: Path) -> None:
    """MNIST, USPS and SVHN, labels in turn. What depends on the day or a compressor's version is left out."""
    for split in ("train", "t10k"):
        head = struct.pack(">4I", 0x803, DIGITS, 28, 28)
        write(folder / "MNIST" / f"{split}-images-idx3-ubyte", head + bytes(DIGITS * 28 * 28))
        labels = bytes(number % 10 for number in range(DIGITS))
        write(folder / "MNIST" / f"{split}-labels-idx1-ubyte", struct.pack(">2I", 0x801, DIGITS) + labels)
    for name in ("usps", "usps.t"):
        lines = "".join(f"{number % 10 + 1} 1:0.5\n" for number in range(DIGITS))
        write(folder / "USPS" / name, lines.encode())
    for split in ("train", "test"):
        file = folder / "SVHN" / f"{split}_32x32.mat"
        file.parent.mkdir(parents=True, exist_ok=True)
        images, classes = np.zeros((32, 32, 3, 20), np.uint8), np.arange(20, dtype=np.uint8)[:, None] % 10 + 1
        savemat(file, {"X": images, "y": classes})
        with file.open("r+b") as opened:
            opened.write(b" " * 116)  # where scipy puts the machine and the time


def keys(name: str, data: Path, runs: Path) -> dict[str, str]:
    """Stage to folder, `<kind>-<first digits of the key>`, as `segda run NAME --plan` shows them."""
    os.environ["SEGDA_DATA"] = str(data)
    plan = plans.make_plan(pipelines.load(name), Store(runs))
    assert {planned.state for planned in plan} == {"run"}, plan
    return {planned.stage: f"{planned.kind}-{planned.key[:8]}" for planned in plan}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder))
        content = {name: keys(name, Path(folder), Path(folder, "runs")) for name in PIPELINES}
    lines = [f" {json.dumps(name)}: {json.dumps(stages)}" for name, stages in content.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
