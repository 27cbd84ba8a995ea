"""Predictions in the format of the Cityscapes benchmark server: a PNG of raw ids for each image, named after it."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from segda.data.dataset import Dataset
from segda.errors import ConfigError, DataError
from segda.evaluation.predict import Predictor
from segda.files import write_whole
from segda.label_spaces.cityscapes import to_ids

ENDING = "_predictionIds.png"

# City, sequence and frame, by which cityscapesScripts pairs predictions with `<city>_123456_123456_gtFine_*.png`.
_NAME = re.compile(r"[^_/]+_\d+_\d+$")


def write(
    predictor: Predictor,
    dataset: Dataset,
    folder: Path,
    *,
    rank: int = 0,
    world: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Predict every image of a data set, whose labels stay closed, and write raw ids.

    Each image becomes `folder/<city>_<sequence>_<frame>_predictionIds.png`, 8 bits, one channel, of the image's own
    size. What was written before is written again; each file is there whole or not at all.

    Args:
        predictor: of a label space whose classes are Cityscapes'.
        dataset: images whose keys end in `<city>_<sequence>_<frame>`.
        folder: made where it is missing.
        rank: this process, which takes images `rank`, `rank + world`, ...
        world: the number of processes.
        progress: called after each image with the number done in this process.

    Raises:
        ConfigError: the task's classes have no ids in Cityscapes, or it predicts one class an image.
        DataError: an image has another name, or the folder holds PNG files of something else, which the official
            evaluation would read, too.
    """
    space = predictor.task.space
    if predictor.task.measure != "IoU":
        raise ConfigError("submission: the networks predict one class an image, not one a pixel; name another stage")
    to_ids(np.zeros((1, 1), np.uint8), space)
    names = [_name(sample.key, sample.image) for sample in dataset.samples]
    expected = set(names)
    for path in sorted(folder.rglob("*.png")) if folder.is_dir() else []:
        if path.name not in expected and not path.name.startswith("."):
            raise DataError(f"{path}: no prediction for an image of this split; name an empty folder")
    for done, index in enumerate(range(rank, len(dataset), world), start=1):
        ids = to_ids(predictor.predict(dataset.decode_image(dataset.samples[index].image)), space)
        write_whole(folder / names[index], cv2.imencode(".png", ids)[1].tobytes(), durable=False)
        progress(done)


def _name(key: str, image: Path) -> str:
    stem = key.rsplit("/", 1)[-1]
    if not _NAME.match(stem):
        raise DataError(
            f"{image}: found {stem!r}; the server expects <city>_<sequence>_<frame>, such as lindau_000000_000019: "
            "predict Cityscapes, or use segda predict"
        )
    return f"{stem}{ENDING}"
