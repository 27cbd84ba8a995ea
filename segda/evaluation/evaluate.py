"""Score networks on a labelled data set: one pass, one confusion matrix, and the protocol of the scores."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segda.data.dataset import Dataset
from segda.errors import ArtefactError, ConfigError, DataError
from segda.evaluation.batching import ReadSample, batched, read_samples
from segda.evaluation.scores import Evaluation
from segda.evaluation.test_time_augmentation import NO_AUGMENTATION, Augmentation, predict
from segda.files import sha256
from segda.label_space import LabelSpace
from segda.metrics.boundary import Boundary
from segda.networks.networks import Networks
from segda.task import Task

RESIZE_RULE = "area where the image shrinks, bilinear where it grows"


def evaluate(
    networks: Networks,
    dataset: Dataset,
    task: Task,
    *,
    resize: tuple[int, int] | None = None,
    inference: Augmentation = NO_AUGMENTATION,
    boundary: bool = False,
    device: torch.device | str = "cpu",
    rank: int = 0,
    world: int = 1,
    reduce: Callable[[Tensor], Tensor] = lambda counts: counts,
    network_files: Mapping[str, Path] | None = None,
    data_fingerprint: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score networks on every sample of a labelled data set.

    Process `rank` of `world` takes samples `rank`, `rank + world`, …; there is no padding, so no image counts twice,
    and the sum of whole numbers is the same for any number of processes. The protocol holds `dataset`, `label_space`,
    `classes`, `categories` (of each class) and `subspaces` (name to classes) where the label space has them, `resize`
    (`[height, width]` or `None`), `resize_rule`, `inference` (test-time augmentation), `prediction_rule`, `measure`,
    `images`, `pixels_scored`, `pixels_ignored`, `network_fingerprints` (SHA-256 of each of `network_files`),
    `data_fingerprint` and `seconds`.

    Args:
        networks: on `device`, not wrapped for distributed training, whose buffer exchange would wait for processes
            with fewer images; put in evaluation mode meanwhile and left as they were.
        dataset: opened with labels, in the task's label space.
        task: predicts, and provides the confusion matrix.
        resize: height and width of what the networks see; `None` for each image's own. Whatever it is, scores are
            taken at the size of the label file.
        inference: test-time augmentation.
        boundary: score the borders of the classes, too; it takes tens of milliseconds an image.
        device: where the networks are.
        rank: this process.
        world: the number of processes.
        reduce: the elementwise sum over all processes of an int64 tensor on `device`; called once.
        network_files: name to file, for fingerprints in the protocol.
        data_fingerprint: the caller's hash of the data set's files.
        progress: called after each image with the number done and the number to do in this process.

    Raises:
        ConfigError: the data set is not in the task's label space, or windows or boundaries are requested where an
            image has one class.
        DataError: the data set is empty or has no labels, or a label holds a value outside the label space.
        ArtefactError: one of `network_files` cannot be read.
    """
    _check(dataset, task)
    if boundary and task.measure != "IoU":
        raise ConfigError("boundary: the task predicts one class an image, which has no borders; leave it out")
    fingerprints = {name: _fingerprint(path) for name, path in (network_files or {}).items()}
    start = time.monotonic()
    confusion = task.meter()
    borders = Boundary(task.space.classes, task.space.ignore_index) if boundary else None
    share = range(rank, len(dataset), world)
    with torch.inference_mode(), _evaluation_mode(networks):
        done = 0
        samples = read_samples(dataset, share, resize, windows=inference.window is not None)
        for batch in batched(samples, _shape, task.evaluation_batch):
            inputs = torch.cat([sample.image for sample in batch]) if len(batch) > 1 else batch[0].image
            inputs = inputs.to(device)
            predictions = predict(networks, task, inputs, _label(batch[0]).shape, inference)
            for sample, prediction in zip(batch, predictions, strict=True):
                label, name = _label(sample), str(dataset.samples[sample.index].label)
                confusion.update(torch.from_numpy(label).to(device), prediction, name=name)
                if borders is not None:
                    borders.update(label, prediction, name=name)
            done += len(batch)
            if progress is not None:
                progress(done, len(share))
    parts = [confusion.to_tensor(), torch.tensor([len(share)]), *([borders.to_tensor()] if borders else [])]
    totals = reduce(torch.cat(parts).to(device)).cpu().split([len(part) for part in parts])
    confusion, images = confusion.from_tensor(totals[0]), int(totals[1])
    borders = borders.from_tensor(totals[2]) if borders else None
    protocol = {
        "dataset": dataset.name,
        "label_space": task.space.name,
        "classes": list(task.space.classes),
        **groupings(task.space, task.measure),
        "resize": None if resize is None else list(resize),
        "resize_rule": None if resize is None else RESIZE_RULE,
        "inference": inference.to_json(),
        "prediction_rule": inference.rule(task),
        "measure": task.measure,
        "images": images,
        "pixels_scored": confusion.pixels,
        "pixels_ignored": confusion.ignored,
        "network_fingerprints": fingerprints,
        "data_fingerprint": data_fingerprint,
        "seconds": round(time.monotonic() - start, 3),
    }
    return Evaluation(confusion, images, protocol, borders)


def groupings(space: LabelSpace, measure: str) -> dict[str, Any]:
    """How a label space groups its classes, for a protocol; nothing for what is not measured by IoU."""
    if measure != "IoU":
        return {}
    subsets = {name: list(classes) for name, classes in space.subsets().items()}
    groups = {"categories": list(space.categories), "subspaces": subsets}
    return {name: group for name, group in groups.items() if group}


def _label(sample: ReadSample) -> np.ndarray:
    assert sample.label is not None  # _check refused data sets without labels
    return sample.label


def _shape(sample: ReadSample) -> tuple[Any, ...]:
    return sample.image.shape, _label(sample).shape


def _check(dataset: Dataset, task: Task) -> None:
    if dataset.space.classes != task.space.classes or dataset.space.ignore_index != task.space.ignore_index:
        raise ConfigError(
            f"evaluate: data set {dataset.name!r} is labelled in {dataset.space.name!r} but the task predicts "
            f"{task.space.name!r}; open it in the task's label space"
        )
    if not dataset.samples:
        raise DataError(f"{dataset.root}: no sample to evaluate on; check the split's name and the folder")
    for sample in dataset.samples:
        if sample.label is None:
            raise DataError(f"{sample.image}: no label to score against; evaluate on a labelled split")


@contextmanager
def _evaluation_mode(networks: Networks) -> Iterator[None]:
    """All networks in evaluation mode; afterwards each submodule in the mode it was in, frozen ones included."""
    modes = {module: module.training for top in networks.modules.values() for module in top.modules()}
    for top in networks.modules.values():
        top.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _fingerprint(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read for its fingerprint ({error.strerror}); export again") from error
