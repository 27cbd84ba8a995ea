"""Features of trained encoders: vectors, their order and their classes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.scoring import features
from segda.data.dataset import Dataset, Sample
from segda.evaluation.predict import Predictor
from segda.label_space import LabelSpace
from segda.networks.networks import Networks
from segda.tasks import segmentation

SPACE = LabelSpace("two", ("a", "b"), ((0, 0, 0), (255, 255, 255)))


class Halves(nn.Module):
    """The feature map z is the image, average-pooled to half its size."""

    strides = (1, 2)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, nn.functional.avg_pool2d(image, 2)]


def dataset(images: list[np.ndarray], labels: list[np.ndarray] | None) -> Dataset:
    names = [Path(str(index)) for index in range(len(images))]
    return Dataset(
        "made", Path(), SPACE, tuple(Sample(str(name), name, None if labels is None else name) for name in names),
        lambda path: images[int(path.name)], lambda path: (labels or [])[int(path.name)],
    )  # fmt: skip


def grey(value: int, size: int = 4) -> np.ndarray:
    return np.full((size, size, 3), value, dtype=np.uint8)


PREDICTOR = Predictor(Networks({"encoder": Halves()}, tied=True), segmentation.build(SPACE))


def test_one_mean_vector_an_image_in_order_whatever_the_sizes() -> None:
    images = [grey(value, size) for value, size in ((0, 4), (255, 4), (51, 6), (204, 2))]
    labels = [np.array(label, dtype=np.uint8) for label in (0, 1, 255, 1)]
    result = features.image_features(PREDICTOR, dataset(images, labels), range(4), "source")
    np.testing.assert_allclose(result.vectors, np.repeat([[-1], [1], [-0.6], [0.6]], 3, axis=1), atol=1e-6)
    assert result.labels.tolist() == [0, 1, 255, 1]


def test_without_labels_every_class_is_ignored() -> None:
    result = features.image_features(PREDICTOR, dataset([grey(0), grey(9)], None), [1], "target")
    assert result.vectors.shape == (1, 3)
    assert result.labels.tolist() == [255]


def test_places_of_a_map_have_the_class_that_is_labelled_there() -> None:
    """The left half is black and of class a, the right half white and of class b; one quarter is unlabelled."""
    image = grey(0)
    image[:, 2:] = 255
    label = np.zeros((4, 4), dtype=np.uint8)
    label[:, 2:] = 1
    label[:2, :2] = 255
    result = features.image_features(PREDICTOR, dataset([image], [label]), [0], "source", positions=9)
    assert sorted(zip(result.vectors[:, 0].tolist(), result.labels.tolist(), strict=True)) == [(-1, 0), (1, 1), (1, 1)]


def test_the_draw_of_places_depends_on_the_seed_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    data = dataset([image], [np.zeros((16, 16), dtype=np.uint8)])

    def drawn(seed: int) -> list[float]:
        return features.image_features(PREDICTOR, data, [0], "source", positions=3, seed=seed).vectors[:, 0].tolist()

    assert drawn(0) == drawn(0) != drawn(1)


def test_whole_images_keep_their_one_vector() -> None:
    label = np.array(1, dtype=np.uint8)
    result = features.image_features(PREDICTOR, dataset([grey(0)], [label]), [0], "source", positions=4)
    assert (result.vectors.shape, result.labels.tolist()) == ((1, 3), [1])


def test_samples_are_spread_over_the_set() -> None:
    data = dataset([grey(0)] * 10, None)
    drawn = features.spaced_samples(data, 5)
    assert [index // 2 for index in drawn] == [0, 1, 2, 3, 4]
    assert {index % 2 for index in drawn} == {0, 1}, "no aliasing with a data set of alternating classes"
    assert features.spaced_samples(data, 5) == drawn
    assert features.spaced_samples(data, 99) == list(range(10))


def test_untied_encoders_see_their_own_domain() -> None:
    class Negative(Halves):
        def forward(self, image: Tensor) -> list[Tensor]:
            return super().forward(-image)

    untied = Networks({"encoder.source": Halves(), "encoder.target": Negative()}, tied=False)
    predictor = replace(PREDICTOR, networks=untied)
    data = dataset([grey(255)], None)
    assert features.image_features(predictor, data, [0], "source").vectors[0, 0] == 1
    assert features.image_features(predictor, data, [0], "target").vectors[0, 0] == -1
    assert torch.is_grad_enabled()
