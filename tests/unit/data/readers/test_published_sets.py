"""The real classification sets, if available: published counts, or classes equal to folders."""

from pathlib import Path

import numpy as np
import pytest

from segda.data.readers import class_folders, mnist, svhn, usps
from segda.label_space import load

pytestmark = pytest.mark.data

# Number of images of each class, 0 to 9.
MNIST = {
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}
USPS = {
    "train": [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644],
    "test": [359, 264, 198, 166, 200, 160, 170, 147, 166, 177],
}


@pytest.mark.parametrize("split", ["train", "test"])
def test_mnist_and_usps_have_the_published_classes(real_data: Path, split: str) -> None:
    for reader, folder, counts in ((mnist, "MNIST", MNIST), (usps, "USPS", USPS)):
        data = reader.build(real_data / "digits" / folder, load("digits"), split)
        labels = [int(data.decode_label(sample.label)) for sample in data.samples if sample.label is not None]
        assert np.bincount(labels).tolist() == counts[split], folder


def test_usps_looks_like_mnist(real_data: Path) -> None:
    """Nearest class mean of MNIST classifies most of USPS, so labels and orientation are right."""
    means, vectors, truth = [], [], []
    space = load("digits")
    source = mnist.build(real_data / "digits/MNIST", space, "test")
    target = usps.build(real_data / "digits/USPS", space, "test")
    labels = np.array([int(source.decode_label(sample.label)) for sample in source.samples if sample.label])
    images = np.stack([source.decode_image(sample.image)[4:24, 4:24, 0] for sample in source.samples]) / 255
    for digit in range(10):
        mean = images[labels == digit].mean(axis=0)
        means.append(np.asarray(mean)[np.ix_(*[np.linspace(0, 19, 16).round().astype(int)] * 2)].ravel())
    for index in range(len(target)):
        image, label = target.read(index)
        vectors.append(image[:, :, 0].ravel() / 255)
        truth.append(int(np.asarray(label)))

    def normal(rows: list[np.ndarray]) -> np.ndarray:
        centred = np.stack(rows) - np.stack(rows).mean(axis=1, keepdims=True)
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    predicted = (normal(vectors) @ normal(means).T).argmax(axis=1)
    assert (predicted == np.array(truth)).mean() > 0.55


def test_svhn(real_data: Path) -> None:
    """The available subset has 5,000 and 2,136 images; label 10 is the digit 0."""
    for split, count in (("train", 5000), ("test", 2136)):
        data = svhn.build(real_data / "digits/SVHN", load("digits"), split)
        image, label = data.read(0)
        assert len(data) == count
        assert image.shape == (32, 32, 3)
        assert label is not None
        labels = np.bincount([int(data.decode_label(sample.label)) for sample in data.samples if sample.label])
        assert labels.argmax() == 1
        assert len(labels) == 10


@pytest.mark.parametrize(("domain", "count"), [("amazon", 2817), ("webcam", 795)])
def test_office(real_data: Path, domain: str, count: int) -> None:
    space = load("office31")
    data = class_folders.build(real_data / "office31" / domain, space)
    assert len(data) == count
    labels = {int(data.decode_label(sample.label)) for sample in data.samples if sample.label is not None}
    assert labels == set(range(31))
    for sample in data.samples[::100]:
        assert sample.label is not None
        assert space.classes[int(data.decode_label(sample.label))] == sample.image.parent.name
