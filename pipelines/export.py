"""Write the adapted data set: every source image in the target's look, with its label, complete or refused.

The folder is a data set of its own (`images/`, `labels/`, `dataset.json`) that any trainer can read: RGB PNG images and
8-bit PNG labels holding class indices of the label space, 255 where ignored. Where the label is one class for the whole
image, `dataset.json` holds it and there is no `labels/`. Each file is written under a temporary name and renamed, so a
killed export goes on where it stopped; `dataset.json` is written last.
"""

import os
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from pipelines import batches, training
from pipelines.stage import Data, Inputs, Method, Reference, StageConfig
from segda import label_space
from segda.artefacts.manifest import write_json
from segda.data.dataset import Dataset
from segda.data.randomness import derive_seed
from segda.data.transforms import resize_image, resize_label
from segda.engine.evaluate import as_input
from segda.engine.live_line import LiveLine
from segda.engine.session import Session
from segda.errors import ArtefactError, ConfigError
from segda.lookup import module

VERSION = 2
OUTPUTS = ("images", "labels", "dataset.json")
#: What is not written where labels are classes of whole images.
OPTIONAL = ("labels",)

# Pictures of at most so many pixels (digits) go through a translator together and unpadded: networks for them are
# trained on whole images of one size. Larger ones go one by one, padded to a multiple of every encoder's stride.
SMALL = 64 * 64
TOGETHER = 256
DIVISOR = 32

Translate = Callable[[list[np.ndarray], Sequence[int]], list[np.ndarray]]
"""Images of one size and their places in the data set, to the same images in the target's look."""


class Config(StageConfig):
    """An exporting stage: by a trained `translator`, or by a `method` that needs no training.

    Attributes:
        data: the labelled set to translate; its `resize` is the size of the exported files.
        translator: a `translate` or `align` stage that published `encoder` and `decoder`.
        method: one with `transfer`, such as `fda`.
        target: the unlabelled set that `method` takes its reference images from: one for each image, drawn at random.
    """

    data: Data
    translator: Reference | None = None
    method: Method | None = None
    target: Data | None = None


def check(config: Config) -> None:
    """Refuse a config that does not say how to translate.

    Raises:
        ConfigError: neither a translator nor a method, both of them, or a method that lacks its part.
    """
    if (config.translator is None) == (config.method is None):
        found = "neither is given" if config.method is None else "both are given"
        raise ConfigError(
            f"translator, method: {found}; give `translator` (a trained stage), or `method` (such as fda) and `target`"
        )
    if config.method is not None and config.method.transfer is None:
        raise ConfigError(
            f"method: {config.method.title!r} has terms to train, no `transfer`; train it in a stage of its own and "
            "name that as `translator`, or use a method such as fda"
        )
    if config.method is not None and config.target is None:
        raise ConfigError("target: missing; a method without training takes its reference images from there")
    if config.translator is not None and config.target is not None:
        raise ConfigError("target: not used with a translator, which has learnt the target's look; remove it")


def run(config: Config, inputs: Inputs, folder: Path, session: Session) -> dict[str, Any]:
    """Translate and write the whole set, each process its share."""
    dataset = batches.open_data(config, "data", inputs, with_labels=True)
    translate = translation(config, inputs, session.device)
    first, label = read(dataset, 0, config)
    whole_images = label.ndim == 0
    kinds = ("images",) if whole_images else ("images", "labels")

    # Blocks lie where they lie whatever is written already, so that an image always has the same company and a
    # restart the same bytes.
    length = TOGETHER if first.shape[0] * first.shape[1] <= SMALL else 1
    pending = range(session.rank * length, len(dataset), session.world * length)
    total = sum(min(length, len(dataset) - start) for start in pending)
    done = 0
    with LiveLine(folder.name, 0, total, "images", show=session.is_main) as line:
        for start in pending:
            block = range(start, min(start + length, len(dataset)))
            if missing(dataset, block, folder, kinds):
                write_block(dataset, block, config, folder, translate)
            done += len(block)
            line.update(done)
    session.barrier()

    if session.is_main:
        absent = missing(dataset, range(len(dataset)), folder, kinds)
        if absent:
            raise ArtefactError(f"{folder}: {len(absent)} files were not written, {absent[0]} first; run again")
        space = label_space.load(config.task.options["labels"])
        index = {
            "space": space.name,
            "classes": list(space.classes),
            "ignore_index": space.ignore_index,
            "origin": dataset.name,
            "keys": [sample.key for sample in dataset.samples],
        }
        if whole_images:
            index["labels"] = [int(dataset.decode_label(s.label)) for s in dataset.samples if s.label is not None]
        write_json(folder / "dataset.json", index)
    session.barrier()
    return {"images": len(dataset)}


def read(dataset: Dataset, index: int, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """One image and its label at the size of the export.

    Raises:
        ArtefactError: the image has no label, or is no 8-bit picture.
    """
    sample = dataset.samples[index]
    image, label = dataset.read(index)
    if label is None:
        raise ArtefactError(f"{sample.image}: no label to export beside the image; open a labelled split")
    if image.dtype != np.uint8:
        raise ArtefactError(f"{sample.image}: holds {image.dtype}, which PNG cannot; only 8-bit pictures are exported")
    if config.data.resize is not None:
        image, label = resize_image(image, config.data.resize), resize_label(label, config.data.resize)
    return image, label


def write_block(dataset: Dataset, block: range, config: Config, folder: Path, translate: Translate) -> None:
    """Translate neighbours of one size together, and write what is not there."""
    samples = [dataset.samples[index] for index in block]
    pairs = [read(dataset, index, config) for index in block]
    for sample, (_, label) in zip(samples, pairs, strict=True):
        label_file = folder / "labels" / f"{sample.key}.png"
        if label.ndim and not label_file.is_file():
            write_png(label_file, label)
    for _, alike in groupby(range(len(block)), lambda number: pairs[number][0].shape):
        numbers = list(alike)
        changed = translate([pairs[number][0] for number in numbers], [block[number] for number in numbers])
        for number, image in zip(numbers, changed, strict=True):
            image_file = folder / "images" / f"{samples[number].key}.png"
            if not image_file.is_file():
                write_png(image_file, image)


def missing(dataset: Dataset, block: range, folder: Path, kinds: Sequence[str]) -> list[str]:
    """Keys of the samples whose files are not all there."""
    return [
        dataset.samples[index].key
        for index in block
        if not all((folder / kind / f"{dataset.samples[index].key}.png").is_file() for kind in kinds)
    ]


def translation(config: Config, inputs: Inputs, device: torch.device) -> Translate:
    """How this export translates: by the networks of its translator, or by its method's transfer."""
    if config.translator is not None:
        networks = training.networks_of(
            inputs.folder(config.translator),
            inputs.manifest(config.translator).config,
            ("encoder", "decoder"),
            device,
        )
        return lambda images, places: translated_together(networks, images, device)

    check(config)
    assert config.method is not None
    assert config.method.transfer is not None
    assert config.target is not None
    transfer = module("segda.transfer", config.method.transfer.name).build(device, **config.method.transfer.options)
    target = batches.open_data(config, "target", inputs, with_labels=False)
    resize = config.target.resize

    def reference(place: int) -> np.ndarray:
        drawn = derive_seed(config.seed, "reference", place) % len(target)
        image = target.decode_image(target.samples[drawn].image)
        return image if resize is None else resize_image(image, resize)

    return lambda images, places: [
        transfer(image, reference(place)) for image, place in zip(images, places, strict=True)
    ]


def translated(networks: Any, image: np.ndarray, device: torch.device) -> np.ndarray:
    """One source image in the target's look; uint8 RGB `[H, W, 3]` in and out, whatever the stride."""
    return translated_together(networks, [image], device)[0]


@torch.inference_mode()
def translated_together(networks: Any, images: list[np.ndarray], device: torch.device) -> list[np.ndarray]:
    """Source images of one size in the target's look; uint8 RGB `[H, W, 3]` in and out."""
    height, width = images[0].shape[:2]
    padding = (0, 0) if height * width <= SMALL else (-height % DIVISOR, -width % DIVISOR)
    padded = [cv2.copyMakeBorder(image, 0, padding[0], 0, padding[1], cv2.BORDER_REFLECT) for image in images]
    given = torch.cat([as_input(image) for image in padded]).to(device)
    answer = networks.decode(networks.encode(given, "source"), "target")[..., :height, :width]
    pixels = (answer.clamp(-1, 1) + 1) * 127.5
    return list(pixels.round().byte().permute(0, 2, 3, 1).cpu().numpy())


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
