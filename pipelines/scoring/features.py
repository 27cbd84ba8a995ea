"""Features of a data set by a finished encoder: one vector an image, or one for each of some positions in it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch

from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.evaluation.batching import ReadSample, batched, read_samples
from segda.evaluation.predict import Predictor
from segda.label_space import LabelSpace
from segda.seeds import derive_seed

_BATCH = 64


class Features(NamedTuple):
    """Vectors of one domain, float32 `[N, C]`, and class indices, int64 `[N]`: the ignore index without a label."""

    vectors: np.ndarray
    labels: np.ndarray

    def labelled(self, space: LabelSpace) -> "Features":
        """Those with a label."""
        has_label = self.labels != space.ignore_index
        return Features(self.vectors[has_label], self.labels[has_label])


def spaced_samples(dataset: Dataset, count: int) -> list[int]:
    """The indices of `count` samples, one drawn from each of as many equal parts of a data set; all of a smaller one.

    At equal distances they would keep step with the order of a set, such as one whose classes alternate.
    """
    count = min(count, len(dataset))
    bounds = [index * len(dataset) // count for index in range(count + 1)]
    generator = np.random.default_rng(derive_seed(0, "spread", len(dataset), count))
    return [int(generator.integers(low, high)) for low, high in zip(bounds, bounds[1:], strict=False)]


@torch.inference_mode()
def image_features(
    predictor: Predictor, dataset: Dataset, samples: Iterable[int], domain: Domain, *, positions: int = 0, seed: int = 0
) -> Features:
    """One vector an image, z averaged over its positions, with its class if labels are of whole images.

    `domain` says whose encoder sees the images, where the domains have one each. With `positions`, images whose
    label is a map have so many vectors of z instead, at labelled positions drawn from `seed`.
    """
    vectors, labels = [], []
    reads = read_samples(dataset, samples, predictor.resize)
    for number, (z, label) in enumerate(_encoded(predictor, reads, domain)):
        if label is None or label.ndim == 0 or not positions:
            vectors.append(z.mean(axis=(1, 2)))
            labels.append(dataset.space.ignore_index if label is None or label.ndim else int(label))
            continue
        small = cv2.resize(label, (z.shape[2], z.shape[1]), interpolation=cv2.INTER_NEAREST_EXACT)
        labelled = np.argwhere(small != dataset.space.ignore_index)
        generator = np.random.default_rng(derive_seed(seed, domain, "places", number))
        for row, column in labelled[generator.permutation(len(labelled))[:positions]]:
            vectors.append(z[:, row, column])
            labels.append(int(small[row, column]))
    if not vectors:
        return Features(np.empty((0, 0), np.float32), np.empty(0, np.int64))
    return Features(np.stack(vectors), np.array(labels, dtype=np.int64))


def _encoded(
    predictor: Predictor, reads: Iterable[ReadSample], domain: Domain
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """The z `[C, h, w]` and label of each sample."""
    for batch in batched(reads, lambda sample: sample.image.shape, _BATCH):
        images = torch.cat([sample.image for sample in batch]).to(predictor.device)
        z = predictor.networks.encode(images, domain)[-1].float().cpu().numpy()
        yield from zip(z, (sample.label for sample in batch), strict=True)


def error(predictor: Predictor, dataset: Dataset, samples: Iterable[int], domain: Domain) -> float:
    """The share of wrong predictions among a domain's labelled pixels, or images where labels are of whole images."""
    confusion = predictor.task.meter()
    for index in samples:
        pixels, label = dataset.read(index)
        assert label is not None  # the caller opened the labels
        prediction = predictor.predict(pixels, label.shape, domain)
        confusion.update(label, prediction, name=str(dataset.samples[index].label))
    return 1 - float(confusion.pixel_accuracy())
