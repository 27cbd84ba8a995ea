"""Predictions as the Cityscapes server takes them: one PNG of raw ids an image, of its size, named after it."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from segda.data.dataset import Dataset
from segda.errors import ConfigError, DataError
from segda.evaluation.evaluate import as_input, evaluating
from segda.evaluation.test_time_augmentation import NO_AUGMENTATION, Augmentation, predict
from segda.files import write_whole
from segda.label_spaces.cityscapes import to_ids
from segda.networks.networks import Networks
from segda.task import Task

ENDING = "_predictionIds.png"

# City, sequence and frame, as cityscapesScripts looks for the prediction of `<city>_123456_123456_gtFine_labelIds.png`.
_NAME = re.compile(r"[^_/]+_\d+_\d+$")


def write(
    networks: Networks,
    dataset: Dataset,
    task: Task,
    folder: Path,
    *,
    resize: tuple[int, int] | None = None,
    inference: Augmentation = NO_AUGMENTATION,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Predict every image of a data set, whose labels are not looked at, and write raw ids.

    Each image becomes `folder/<city>_<sequence>_<frame>_predictionIds.png`, 8 bits, one channel, of the image's own
    size. What was written before is written again; each file is there whole or not at all.

    Args:
        networks: on `device`.
        dataset: images whose keys end in `<city>_<sequence>_<frame>`.
        task: of a label space whose classes are Cityscapes'.
        folder: made where it is missing.
        resize: height and width of what the networks see; `None` for each image's own.
        inference: test-time augmentation.
        device: where the networks are.
        rank: this process, which takes images `rank`, `rank + world`, ...
        world: the number of processes.
        progress: called after each image with the number done and the number to do in this process.

    Raises:
        ConfigError: the task's classes have no ids in Cityscapes, or it answers for whole images.
        DataError: an image is not named so, or the folder holds PNG files of something else, which the official
            evaluation would find, too.
    """
    if task.measure != "IoU":
        raise ConfigError("submission: the networks give one class an image, not one a pixel; name another stage")
    to_ids(np.zeros((1, 1), np.uint8), task.space)
    names = [_name(sample.key, sample.image) for sample in dataset.samples]
    expected = set(names)
    for found in sorted(folder.rglob("*.png")) if folder.is_dir() else []:
        if found.name not in expected and not found.name.startswith("."):
            raise DataError(f"{found}: no prediction for an image of this split; name an empty folder")
    share = range(rank, len(dataset), world)
    with torch.inference_mode(), evaluating(networks):
        for done, index in enumerate(share, start=1):
            pixels = dataset.decode_image(dataset.samples[index].image)
            size = (int(pixels.shape[0]), int(pixels.shape[1]))
            classes = predict(networks, task, as_input(pixels, resize).to(device), size, inference)[0]
            ids = to_ids(classes.byte().cpu().numpy(), task.space)
            write_whole(folder / names[index], cv2.imencode(".png", ids)[1].tobytes(), durable=False)
            if progress is not None:
                progress(done, len(share))


def _name(key: str, image: Path) -> str:
    stem = key.rsplit("/", 1)[-1]
    if not _NAME.match(stem):
        raise DataError(
            f"{image}: found {stem!r}; the server wants <city>_<sequence>_<frame>, such as lindau_000000_000019: "
            "predict Cityscapes, or use segda predict"
        )
    return f"{stem}{ENDING}"
