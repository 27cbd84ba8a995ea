"""Predictions in the format of benchmark servers, of Cityscapes, ACDC and Dark Zurich: a PNG for each image."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from segda.data.dataset import Dataset
from segda.errors import ConfigError, DataError
from segda.evaluation.predict import Predictor
from segda.files import write_whole
from segda.label_spaces.cityscapes import EVALUATED, to_ids

ENDING = "_predictionIds.png"

# City, sequence and frame, by which cityscapesScripts pairs predictions with `<city>_123456_123456_gtFine_*.png`.
_NAME = re.compile(r"[^_/]+_\d+_\d+$")

# Of ACDC and Dark Zurich, whose servers look for `<sequence>_frame_<number>*.png`.
_FRAME = re.compile(r"[^_/]+_frame_\d{6}_rgb_anon$")

# Raw id to index among the evaluated classes.
_TRAIN_IDS = np.full(256, 255, np.uint8)
_TRAIN_IDS[list(EVALUATED)] = range(len(EVALUATED))


def write(
    predictor: Predictor,
    dataset: Dataset,
    folder: Path,
    *,
    rank: int = 0,
    world: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Predict every image of a data set, whose labels stay closed, and write its ids.

    Each image of Cityscapes becomes `folder/<city>_<sequence>_<frame>_predictionIds.png` with raw ids, each of ACDC and
    Dark Zurich `folder/<sequence>_frame_<number>_rgb_anon.png` with train ids (0 to 18), 8 bits, one channel, of the
    image's own size. What was written before is written again; each file is there whole or not at all.

    Args:
        predictor: of a label space whose classes are Cityscapes'.
        dataset: images that are named as in Cityscapes, ACDC or Dark Zurich.
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
    acdc = dataset.name == "acdc"
    names = [_frame(sample.image) if acdc else _name(sample.key, sample.image) for sample in dataset.samples]
    expected = set(names)
    for path in sorted(folder.rglob("*.png")) if folder.is_dir() else []:
        if path.name not in expected and not path.name.startswith("."):
            raise DataError(f"{path}: no prediction for an image of this split; name an empty folder")
    for done, index in enumerate(range(rank, len(dataset), world), start=1):
        ids = to_ids(predictor.predict(dataset.decode_image(dataset.samples[index].image)), space)
        content = cv2.imencode(".png", cv2.LUT(ids, _TRAIN_IDS) if acdc else ids)[1].tobytes()
        write_whole(folder / names[index], content, durable=False)
        progress(done)


def _name(key: str, image: Path) -> str:
    stem = key.rsplit("/", 1)[-1]
    if not _NAME.match(stem):
        raise DataError(
            f"{image}: found {stem!r}; the server expects <city>_<sequence>_<frame>, such as lindau_000000_000019: "
            "predict Cityscapes, or use segda predict"
        )
    return f"{stem}{ENDING}"


def _frame(image: Path) -> str:
    if not _FRAME.match(image.stem):
        raise DataError(
            f"{image}: the server expects <sequence>_frame_<number>_rgb_anon, such as GOPR0364_frame_000001_rgb_anon: "
            "give the images their published names, or use segda predict"
        )
    return f"{image.stem}.png"
