"""What a finished encoder makes of a data set: one vector an image, or one for each of some places in it."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.evaluation.evaluate import as_input
from segda.networks.networks import Networks
from segda.random_streams import derive_seed

_BATCH = 64


class Features(NamedTuple):
    """Vectors of one domain.

    Attributes:
        vectors: float32 `[N, C]`.
        labels: int64 `[N]` class indices, the ignore index where there is no label.
    """

    vectors: np.ndarray
    labels: np.ndarray


def spaced_samples(dataset: Dataset, count: int) -> list[int]:
    """The places of `count` samples, one drawn from each of as many equal parts of a data set; all of a smaller one.

    At even distances they would keep step with the order of a set, such as one whose classes take turns.
    """
    count = min(count, len(dataset))
    bounds = [index * len(dataset) // count for index in range(count + 1)]
    drawn = np.random.default_rng(derive_seed(0, "spread", len(dataset), count))
    return [int(drawn.integers(low, high)) for low, high in zip(bounds, bounds[1:], strict=False)]


def image_features(
    networks: Networks,
    dataset: Dataset,
    samples: Sequence[int],
    *,
    domain: Domain,
    resize: tuple[int, int] | None = None,
    device: torch.device | str = "cpu",
) -> Features:
    """One vector an image: z averaged over its places; labels of whole images alone.

    Args:
        networks: with an encoder, in evaluation mode.
        dataset: opened with or without labels.
        samples: which of its samples.
        domain: whose encoder sees the images, where the domains have one each.
        resize: height and width of what the encoder sees; `None` for each image's own.
        device: where the networks are.
    """
    vectors, labels = [], []
    for z, label in encoded(networks, dataset, samples, domain=domain, resize=resize, device=device):
        vectors.append(z.mean(axis=(1, 2)))
        labels.append(int(label) if label is not None and label.ndim == 0 else dataset.space.ignore_index)
    return Features(np.stack(vectors), np.array(labels, dtype=np.int64))


def labelled_features(
    networks: Networks,
    dataset: Dataset,
    samples: Sequence[int],
    *,
    domain: Domain,
    resize: tuple[int, int] | None = None,
    device: torch.device | str = "cpu",
    places: int = 4,
    seed: int = 0,
) -> Features:
    """Vectors with a class each: of whole images where labels are of whole images, else of some labelled places.

    Args:
        networks: as in `pooled`, and so are the other arguments.
        dataset: opened with labels.
        samples: which of its samples.
        domain: whose encoder sees the images.
        resize: height and width of what the encoder sees.
        device: where the networks are.
        places: how many places of z are drawn from an image whose label is a map.
        seed: of that draw.
    """
    vectors, labels = [], []
    for number, (z, label) in enumerate(
        encoded(networks, dataset, samples, domain=domain, resize=resize, device=device)
    ):
        if label is None or label.ndim == 0:
            vectors.append(z.mean(axis=(1, 2)))
            labels.append(dataset.space.ignore_index if label is None else int(label))
            continue
        size = (z.shape[2], z.shape[1])
        small = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST_EXACT)
        labelled = np.argwhere(small != dataset.space.ignore_index)
        draw = np.random.default_rng(derive_seed(seed, domain, "places", number)).permutation(len(labelled))[:places]
        for row, column in labelled[draw]:
            vectors.append(z[:, row, column])
            labels.append(int(small[row, column]))
    if not vectors:
        return Features(np.empty((0, 0), np.float32), np.empty(0, np.int64))
    return Features(np.stack(vectors), np.array(labels, dtype=np.int64))


@torch.inference_mode()
def encoded(
    networks: Networks,
    dataset: Dataset,
    samples: Sequence[int],
    *,
    domain: Domain,
    resize: tuple[int, int] | None,
    device: torch.device | str,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """The z `[C, h, w]` and label of one sample after another; neighbours of one size are encoded together."""

    def flush() -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        z = networks.encode(torch.cat(images).to(device), domain)[-1].float().cpu().numpy()
        yield from zip(z, labels, strict=True)

    images: list[Tensor] = []
    labels: list[np.ndarray | None] = []
    for index in samples:
        pixels, label = dataset.read(index)
        image = as_input(pixels, resize)
        if images and (len(images) == _BATCH or image.shape != images[0].shape):
            yield from flush()
            images, labels = [], []
        images.append(image)
        labels.append(label)
    if images:
        yield from flush()


@torch.inference_mode()
def error(
    networks: Networks,
    task: Any,
    dataset: Dataset,
    samples: Sequence[int],
    domain: Domain,
    resize: tuple[int, int] | None,
    device: torch.device | str,
) -> float:
    """The share of wrong predictions among a domain's labelled pixels, or images where labels are of whole images."""
    confusion = task.meter()
    for index in samples:
        pixels, label = dataset.read(index)
        assert label is not None  # the caller opened the labels
        prediction = task.predict(networks, as_input(pixels, resize).to(device), label.shape, domain)
        confusion.update(label, prediction[0].cpu().numpy(), name=str(dataset.samples[index].label))
    return 1 - float(confusion.pixel_accuracy())
