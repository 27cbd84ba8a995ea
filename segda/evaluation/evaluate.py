"""Score networks on a labelled data set: one pass, one confusion matrix, and the protocol beside the scores."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from segda.data.dataset import Dataset
from segda.data.loader import to_tensor
from segda.data.prefetch import in_order
from segda.data.transforms import resize_image
from segda.errors import ArtefactError, ConfigError, DataError
from segda.evaluation.scores import Evaluation
from segda.evaluation.test_time_augmentation import NO_AUGMENTATION, Augmentation, predict
from segda.files import sha256
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
        network_files: a name and a file for each fingerprint to be kept.
        data_fingerprint: the caller's hash of the data set's files.
        progress: called after each image with the number done and the number to do in this process.

    Raises:
        ConfigError: the data set is not in the task's label space, or windows or boundaries are asked for where an
            image has one class.
        DataError: the data set is empty or has no labels, or a label holds a value outside the label space.
        ArtefactError: one of `network_files` cannot be read.
    """
    _check(dataset, task)
    if boundary and task.measure != "IoU":
        raise ConfigError("boundary: the task answers for whole images, which have no borders; leave it out")
    fingerprints = {name: _fingerprint(path) for name, path in (network_files or {}).items()}
    start = time.monotonic()
    confusion = task.meter()
    borders = Boundary(task.space.classes, task.space.ignore_index) if boundary else None
    share = range(rank, len(dataset), world)
    with torch.inference_mode(), evaluating(networks):
        done = 0
        for group in _groups(dataset, share, task.evaluation_batch, resize):
            inputs = torch.cat([sample.image for sample in group]).to(device)
            predictions = predict(networks, task, inputs, group[0].label.shape, inference)
            for sample, prediction in zip(group, predictions, strict=True):
                confusion.update(torch.from_numpy(sample.label).to(device), prediction, name=sample.name)
                if borders is not None:
                    borders.update(sample.label, prediction, name=sample.name)
            done += len(group)
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
        **_groupings(task),
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


def _groupings(task: Task) -> dict[str, Any]:
    """How the label space groups its classes; nothing for tasks that are not scored by IoU."""
    if task.measure != "IoU":
        return {}
    subsets = {name: list(classes) for name, classes in task.space.subsets().items()}
    groups = {"categories": list(task.space.categories), "subspaces": subsets}
    return {name: group for name, group in groups.items() if group}


class _Ready(NamedTuple):
    """One sample as the networks take it: `[1, 3, H, W]`, the label's class indices, and the label's name."""

    image: Tensor
    label: np.ndarray
    name: str


def _groups(
    dataset: Dataset, share: Iterable[int], size: int, resize: tuple[int, int] | None
) -> Iterator[list[_Ready]]:
    """Samples one after another, up to `size` neighbours of one shape together."""
    group: list[_Ready] = []
    for ready in _ahead(dataset, share, resize):
        alike = group and (ready.image.shape, ready.label.shape) == (group[0].image.shape, group[0].label.shape)
        if group and (not alike or len(group) == size):
            yield group
            group = []
        group.append(ready)
    if group:
        yield group


def _ahead(dataset: Dataset, share: Iterable[int], resize: tuple[int, int] | None) -> Iterator[_Ready]:
    """The samples in order; while one is worked on, a thread decodes and resizes the next."""

    def read(index: int) -> _Ready:
        pixels, classes = dataset.read(index)
        assert classes is not None  # _check refused data sets without labels
        return _Ready(as_input(pixels, resize), np.array(classes, order="C"), str(dataset.samples[index].label))

    return in_order(read, share, workers=1, ahead=1)


def as_input(image: np.ndarray, resize: tuple[int, int] | None = None) -> Tensor:
    """A decoded image as the networks take it.

    Args:
        image: uint8 RGB `[H, W, 3]`, or float32 in `[-1, 1]`.
        resize: height and width, or `None` to keep the image's own.

    Returns:
        float32 `[1, 3, H, W]` in `[-1, 1]`.
    """
    # The very functions of training: networks must be scored on what they were trained to see.
    resized = image if resize is None else resize_image(np.ascontiguousarray(image), (resize[0], resize[1]))
    return to_tensor(resized)[None]


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
def evaluating(networks: Networks) -> Iterator[None]:
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
