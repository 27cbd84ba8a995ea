"""Write the adapted data set: every source image in the target's look, with its label, complete or refused.

The folder is a data set of its own (`images/`, `labels/`, `dataset.json`) that any trainer can read: RGB PNG images and
8-bit PNG labels holding class indices of the label space, 255 where ignored. Each file is written under a temporary
name and renamed, so a killed export goes on where it stopped; `dataset.json` is written last.
"""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from pipelines import batches, training
from pipelines.stage import Data, Inputs, Reference, StageConfig
from segda import label_space
from segda.artefacts.manifest import write_json
from segda.data.transforms import resize_image, resize_label
from segda.engine.evaluate import as_input
from segda.engine.live_line import LiveLine
from segda.engine.session import Session
from segda.errors import ArtefactError

VERSION = 1
OUTPUTS = ("images", "labels", "dataset.json")


class Config(StageConfig):
    """An exporting stage.

    Attributes:
        data: the labelled set to translate; its `resize` is the size of the exported files.
        translator: a `translate` or `align` stage that published `encoder` and `decoder`.
    """

    data: Data
    translator: Reference


def run(config: Config, inputs: Inputs, folder: Path, session: Session) -> dict[str, Any]:
    """Translate and write the whole set, each process its share."""
    dataset = batches.open_data(config, "data", inputs, with_labels=True)
    networks = training.networks_of(
        inputs.folder(config.translator),
        inputs.manifest(config.translator).config,
        ("encoder", "decoder"),
        session.device,
    )

    pending = range(session.rank, len(dataset), session.world)
    with LiveLine(folder.name, 0, len(pending), "images", show=session.is_main) as line:
        for number, index in enumerate(pending, 1):
            line.update(number)
            sample = dataset.samples[index]
            image_file = folder / "images" / f"{sample.key}.png"
            label_file = folder / "labels" / f"{sample.key}.png"
            if image_file.is_file() and label_file.is_file():
                continue
            image, label = dataset.read(index)
            if label is None:
                raise ArtefactError(f"{sample.image}: no label to export beside the image; open a labelled split")
            if config.data.resize is not None:
                image, label = resize_image(image, config.data.resize), resize_label(label, config.data.resize)
            write_png(label_file, label)
            write_png(image_file, translated(networks, image, session.device))
    session.barrier()

    if session.is_main:
        missing = [
            sample.key
            for sample in dataset.samples
            for kind in ("images", "labels")
            if not (folder / kind / f"{sample.key}.png").is_file()
        ]
        if missing:
            raise ArtefactError(f"{folder}: {len(missing)} files were not written, {missing[0]} first; run again")
        space = label_space.load(config.task.options["labels"])
        write_json(
            folder / "dataset.json",
            {
                "space": space.name,
                "classes": list(space.classes),
                "ignore_index": space.ignore_index,
                "origin": dataset.name,
                "keys": [sample.key for sample in dataset.samples],
            },
        )
    session.barrier()
    return {"images": len(dataset)}


@torch.inference_mode()
def translated(networks: Any, image: np.ndarray, device: torch.device) -> np.ndarray:
    """One source image in the target's look; uint8 RGB `[H, W, 3]` in and out, whatever the stride."""
    height, width = image.shape[:2]
    padded = cv2.copyMakeBorder(image, 0, -height % 32, 0, -width % 32, cv2.BORDER_REFLECT)
    answer = networks.decode(networks.encode(as_input(padded).to(device), "source"), "target")[0, :, :height, :width]
    pixels = (answer.clamp(-1, 1) + 1) * 127.5
    return pixels.round().byte().permute(1, 2, 0).cpu().numpy()


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write an image or label as PNG, whole or not at all.

    Raises:
        ArtefactError: the disk is full or the folder not writable; nothing half-written stays behind.
    """
    # Level 1 is eight times faster to write than OpenCV's default and a tenth larger.
    shown = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".png", shown, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    # The temporary name is always the same, so a killed export's leftover is overwritten, not left lying.
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(encoded.tobytes())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ArtefactError(
            f"{path}: cannot be written ({error.strerror or error}); what is there stays: free space, then run again"
        ) from error
