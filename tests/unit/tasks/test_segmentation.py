"""The segmentation task: sizes, padding and upsampling of its prediction, and its loss."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.errors import ConfigError
from segda.label_space import LabelSpace
from segda.tasks.segmentation import Segmentation, build

SPACE = LabelSpace("colours", ("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


class ColourNetworks:
    """Classifies each cell of `stride` pixels by its mean colour: the image's channels are the logits."""

    def __init__(self, stride: int = 1) -> None:
        self.stride = stride
        self.modules: dict[str, nn.Module] = {}
        self.inputs: list[tuple[tuple[int, ...], str]] = []

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        self.inputs.append((tuple(image.shape), domain))
        return [image, functional.avg_pool2d(image, self.stride)]

    def classify(self, features: list[Tensor]) -> Tensor:
        return features[-1]


@pytest.fixture
def task() -> Segmentation:
    return build(SPACE)


def image_of(classes: Tensor) -> Tensor:
    """`[B, H, W]` class indices to an image `[B, 3, H, W]` in which each class has its pure colour."""
    return functional.one_hot(classes, 3).permute(0, 3, 1, 2).float() * 2 - 1


@pytest.mark.parametrize("size", [(32, 64), (33, 40), (5, 7), (1, 1), (64, 31)])
def test_prediction_of_any_size_is_aligned_with_the_image(task: Segmentation, size: tuple[int, int]) -> None:
    classes = torch.randint(0, 3, (2, *size), generator=torch.Generator().manual_seed(0))
    networks = ColourNetworks()
    prediction = task.predict(networks, image_of(classes), size)
    assert prediction.dtype == torch.int64
    assert torch.equal(prediction, classes)
    height, width = networks.inputs[0][0][-2:]
    assert height % 32 == width % 32 == 0, "networks see multiples of 32 only"
    assert networks.inputs[0][1] == "target"


def test_what_padding_adds_is_cut_off_before_upsampling(task: Segmentation) -> None:
    classes = torch.zeros(1, 48, 32, dtype=torch.long)
    classes[:, 24:] = 1
    prediction = task.predict(ColourNetworks(stride=8), image_of(classes), (96, 64))
    expected = torch.zeros(1, 96, 64, dtype=torch.long)
    expected[:, 48:] = 1
    assert torch.equal(prediction, expected), "scaled from the padded 64 rows, the border would be at another place"


def test_logits_are_upsampled_bilinearly_not_the_classes(task: Segmentation) -> None:
    image = torch.full((1, 3, 32, 64), -1.0)
    image[:, 0, :, :32], image[:, 1, :, 32:] = 3.0, 1.0  # the border of equal logits lies on red's far side
    networks = ColourNetworks(stride=32)
    probabilities = task.probabilities(networks, image, (1, 64))
    logits = functional.interpolate(
        functional.avg_pool2d(image, 32), size=(1, 64), mode="bilinear", align_corners=False
    )
    assert torch.equal(probabilities, logits.softmax(dim=1))
    prediction = task.predict(networks, image, (1, 64))
    assert (prediction == 0).sum() > 32, "red has the larger logit, so it wins more than half"


def test_probabilities_sum_to_one_and_agree_with_the_prediction(task: Segmentation) -> None:
    image = torch.randn(2, 3, 20, 30, generator=torch.Generator().manual_seed(1))
    probabilities = task.probabilities(ColourNetworks(), image, (40, 60))
    assert probabilities.shape == (2, 3, 40, 60)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(2, 40, 60))
    assert torch.equal(probabilities.argmax(dim=1), task.predict(ColourNetworks(), image, (40, 60)))


def test_the_image_is_encoded_by_the_encoder_of_the_domain(task: Segmentation) -> None:
    networks = ColourNetworks()
    task.predict(networks, torch.zeros(1, 3, 32, 32), (32, 32), domain="source")
    assert networks.inputs[0][1] == "source"


def test_loss_is_taken_at_the_size_of_the_label(task: Segmentation) -> None:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    label = torch.randint(0, 3, (2, 8, 12), generator=torch.Generator().manual_seed(3))
    label[0, :4] = 255
    large = functional.interpolate(logits, size=(8, 12), mode="bilinear", align_corners=False)
    each = [functional.cross_entropy(large[i : i + 1], label[i : i + 1], ignore_index=255) for i in range(2)]
    torch.testing.assert_close(task.supervised_loss(logits, label), torch.stack(each).mean())


def test_class_weights_reach_the_loss() -> None:
    logits = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(4))
    label = torch.randint(0, 3, (1, 4, 4), generator=torch.Generator().manual_seed(5))
    expected = functional.cross_entropy(logits, label, torch.tensor([1.0, 5.0, 0.0]))
    torch.testing.assert_close(build(SPACE, class_weights=[1, 5, 0]).supervised_loss(logits, label), expected)


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, -1.0, 1.0], [], [0.0, 0.0, 0.0]])
def test_class_weights_must_be_one_a_class_and_not_negative(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="class_weights"):
        build(SPACE, class_weights=weights)


def test_meter_counts_in_the_label_space(task: Segmentation) -> None:
    meter = task.meter()
    assert (meter.classes, meter.ignore_index) == (SPACE.classes, SPACE.ignore_index)
    assert meter.pixels == 0


@pytest.mark.promise("exact-argmax")
@pytest.mark.parametrize(("shape", "size"), [((352, 384), (360, 400)), ((380, 350), (380, 350)), ((60, 70), (45, 71))])
def test_the_prediction_is_bit_for_bit_the_argmax_of_all_upsampled_logits(
    shape: tuple[int, int], size: tuple[int, int]
) -> None:
    """Also where it is large, and so made class by class."""
    draws = torch.Generator().manual_seed(6)
    padded = (shape[0] + -shape[0] % 32, shape[1] + -shape[1] % 32)
    logits = torch.randn(2, 5, padded[0] // 8, padded[1] // 8, generator=draws).round(decimals=1)  # with ties
    logits[:, 4] = logits[:, 1]

    class Networks(ColourNetworks):
        def classify(self, features: list[Tensor]) -> Tensor:
            return logits.requires_grad_()

    large = logits
    if padded != shape:
        large = functional.interpolate(logits, size=padded, mode="bilinear", align_corners=False)
        large = large[..., : shape[0], : shape[1]]
    if size != tuple(large.shape[-2:]):
        large = functional.interpolate(large, size=size, mode="bilinear", align_corners=False)
    space = LabelSpace("five", tuple("abcde"), ((0, 0, 0),) * 5)
    prediction = build(space).predict(Networks(), torch.zeros(2, 3, *shape), size)
    assert prediction.dtype == torch.int64
    assert torch.equal(prediction, large.argmax(dim=1))
    assert set(prediction.unique().tolist()) == {0, 1, 2, 3}, "the first of equal ones"
