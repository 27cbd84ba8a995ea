"""Score networks on a labelled data set: one pass, one confusion matrix, and the protocol beside the scores."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from segda.data.dataset import Dataset
from segda.data.loader import to_tensor
from segda.data.transforms import resize_image
from segda.errors import ArtefactError, ConfigError, DataError
from segda.label_space import LabelSpace
from segda.metrics.confusion import Confusion
from segda.networks.networks import Networks

RESIZE_RULE = "area where the image shrinks, bilinear where it grows"


class Task(Protocol):
    """The part of a task that scoring uses."""

    space: LabelSpace
    measure: str
    prediction_rule: str
    evaluation_batch: int

    def predict(self, networks: Networks, image: Tensor, size: Any) -> Tensor:
        """Class indices of `[B, 3, H, W]`, each of the size of a label."""
        ...

    def meter(self) -> Confusion:
        """An empty confusion matrix."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """The scores of networks on a data set, with all that is needed to compare them with others.

    Attributes:
        confusion: pixel counts over the whole set.
        images: number of images scored.
        protocol: how it was measured; the keys are listed in `evaluate`.
    """

    confusion: Confusion
    images: int
    protocol: dict[str, Any]

    @property
    def pixels(self) -> int:
        """Number of pixels scored."""
        return self.confusion.pixels

    @property
    def ignored(self) -> int:
        """Number of pixels whose label is the ignore index."""
        return self.confusion.ignored

    def to_json(self) -> dict[str, Any]:
        """Scores, as unrounded fractions with `None` in place of NaN, the protocol and the counts."""
        confusion = self.confusion
        return {
            "scores": {
                "mean_iou": _number(confusion.mean_iou()),
                "pixel_accuracy": _number(confusion.pixel_accuracy()),
                "mean_accuracy": _number(confusion.mean_accuracy()),
                "frequency_weighted_iou": _number(confusion.frequency_weighted_iou()),
            },
            "iou": {
                name: _number(value) for name, value in zip(confusion.classes, confusion.iou().tolist(), strict=True)
            },
            "class_accuracy": {
                name: _number(value)
                for name, value in zip(confusion.classes, confusion.class_accuracy().tolist(), strict=True)
            },
            "absent": list(confusion.absent()),
            "protocol": self.protocol,
            "confusion": confusion.to_json(),
        }

    @staticmethod
    def from_json(content: Mapping[str, Any], name: str = "evaluation") -> "Evaluation":
        """The evaluation that `to_json` wrote; scores are taken from the counts again.

        Raises:
            ArtefactError: the confusion matrix or the protocol is missing or damaged.
        """
        try:
            protocol = dict(content["protocol"])
            return Evaluation(Confusion.from_json(content["confusion"], name), int(protocol["images"]), protocol)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"{name}: not an evaluation, {error} is missing or wrong; evaluate again") from error


def evaluate(
    networks: Networks,
    dataset: Dataset,
    task: Task,
    *,
    resize: tuple[int, int] | None = None,
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
    `classes`, `resize` (`[height, width]` or `None`), `resize_rule`, `prediction_rule`, `measure`, `images`,
    `pixels_scored`, `pixels_ignored`, `network_fingerprints` (SHA-256 of each of `network_files`), `data_fingerprint`
    and `seconds`.

    Args:
        networks: on `device`, not wrapped for distributed training, whose buffer exchange would wait for processes
            with fewer images; put in evaluation mode meanwhile and left as they were.
        dataset: opened with labels, in the task's label space.
        task: predicts, and provides the confusion matrix.
        resize: height and width of what the networks see; `None` for each image's own. Whatever it is, scores are
            taken at the size of the label file.
        device: where the networks are.
        rank: this process.
        world: the number of processes.
        reduce: the elementwise sum over all processes of an int64 tensor on `device`; called once.
        network_files: a name and a file for each fingerprint to be kept.
        data_fingerprint: the caller's hash of the data set's files.
        progress: called after each image with the number done and the number to do in this process.

    Raises:
        ConfigError: the data set is not in the task's label space.
        DataError: the data set is empty or has no labels, or a label holds a value outside the label space.
        ArtefactError: one of `network_files` cannot be read.
    """
    _check(dataset, task)
    fingerprints = {name: _sha256(path) for name, path in (network_files or {}).items()}
    start = time.monotonic()
    confusion = task.meter()
    share = range(rank, len(dataset), world)
    with torch.inference_mode(), _evaluating(networks):
        done = 0
        for group in _groups(dataset, share, task.evaluation_batch, resize):
            inputs = torch.cat([sample.image for sample in group]).to(device)
            predictions = task.predict(networks, inputs, group[0].label.shape)
            for sample, prediction in zip(group, predictions, strict=True):
                confusion.update(torch.from_numpy(sample.label).to(device), prediction, name=sample.name)
            done += len(group)
            if progress is not None:
                progress(done, len(share))
    counts = torch.cat([confusion.to_tensor(), torch.tensor([len(share)])])
    counts = reduce(counts.to(device)).cpu()
    confusion, images = confusion.from_tensor(counts[:-1]), int(counts[-1])
    protocol = {
        "dataset": dataset.name,
        "label_space": task.space.name,
        "classes": list(task.space.classes),
        "resize": None if resize is None else list(resize),
        "resize_rule": None if resize is None else RESIZE_RULE,
        "prediction_rule": task.prediction_rule,
        "measure": task.measure,
        "images": images,
        "pixels_scored": confusion.pixels,
        "pixels_ignored": confusion.ignored,
        "network_fingerprints": fingerprints,
        "data_fingerprint": data_fingerprint,
        "seconds": round(time.monotonic() - start, 3),
    }
    return Evaluation(confusion, images, protocol)


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
    for index in share:
        pixels, classes = dataset.read(index)
        assert classes is not None  # _check refused data sets without labels
        ready = _Ready(as_input(pixels, resize), np.array(classes, order="C"), str(dataset.samples[index].label))
        alike = group and (ready.image.shape, ready.label.shape) == (group[0].image.shape, group[0].label.shape)
        if group and (not alike or len(group) == size):
            yield group
            group = []
        group.append(ready)
    if group:
        yield group


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
def _evaluating(networks: Networks) -> Iterator[None]:
    """All networks in evaluation mode; afterwards each submodule in the mode it was in, frozen ones included."""
    modes = {module: module.training for top in networks.modules.values() for module in top.modules()}
    for top in networks.modules.values():
        top.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read for its fingerprint ({error.strerror}); export again") from error
    return digest.hexdigest()


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(value) else float(value)
