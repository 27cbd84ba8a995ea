"""Finished networks as one module: the classes that a task predicts, whatever the size and type of the image."""

import cv2
import numpy as np
import pytest
import torch

from segda import label_space
from segda.errors import ConfigError
from segda.evaluation.batching import as_input
from segda.networks import networks as network_building
from segda.networks.image_network import ImageNetwork, TranslatorNetwork
from segda.networks.layers.resolution import reflected_to_multiple
from segda.networks.networks import Networks
from segda.tasks import classification, segmentation

SIZES = [(64, 96), (33, 70), (5, 40), (450, 800)]


@pytest.fixture(scope="module")
def networks() -> Networks:
    torch.manual_seed(0)
    built = network_building.build(
        {"encoder", "head", "decoder.target"},
        classes=19,
        tied=True,
        encoder={"name": "small", "width": 4},
        head={"name": "small", "width": 4},
        decoder={"name": "translator", "blocks": 1},
    )
    built.train(False)
    return built


def pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1).copy())[None]


@pytest.mark.parametrize("size", SIZES)
def test_classes_are_those_of_the_task(networks: Networks, size: tuple[int, int]) -> None:
    image = pixels(*size)
    network = ImageNetwork(networks, pixelwise=True, uint8=True)
    with torch.inference_mode():
        logits = network(batch(image))
        expected = segmentation.build(label_space.load("cityscapes")).predict(networks, as_input(image), size)
        from_floats = ImageNetwork(networks, pixelwise=True)(batch(image) / 255)
    assert logits.shape == (1, 19, *size)
    assert torch.equal(logits.argmax(dim=1), expected)
    assert torch.allclose(from_floats, logits, atol=1e-4)


def test_a_classifier_has_one_vector_an_image() -> None:
    built = network_building.build(
        {"encoder", "head"}, classes=10, tied=False, encoder={"name": "lenet"}, head={"name": "pooled"}
    )
    built.train(False)
    image = pixels(32, 32)
    with torch.inference_mode():
        task = classification.build(label_space.load("digits"))
        for domain in ("source", "target"):
            network = ImageNetwork(built, pixelwise=False, uint8=True, domain=domain)
            logits = network(batch(image))
            assert logits.shape == (1, 10)
            assert torch.equal(logits.softmax(dim=1), task.probabilities(built, as_input(image), (), domain))


@pytest.mark.parametrize("size", SIZES)
def test_a_translator_keeps_size_and_type(networks: Networks, size: tuple[int, int]) -> None:
    image = batch(pixels(*size))
    with torch.inference_mode():
        floats = TranslatorNetwork(networks)(image / 255)
        whole = TranslatorNetwork(networks, uint8=True)(image)
    assert floats.shape == whole.shape == image.shape
    assert whole.dtype == torch.uint8
    assert (floats >= 0).all()
    assert (floats <= 1).all()
    assert (whole - 255 * floats).abs().max() < 0.51 + 1e-2


def test_networks_of_one_size_name_it() -> None:
    built = network_building.build(
        {"encoder", "head"},
        classes=10,
        tied=True,
        encoder={"name": "classic_lenet", "size": 28},
        head={"name": "pooled"},
    )
    built.train(False)
    with pytest.raises(ConfigError, match="built for 28x28 alone"):
        ImageNetwork(built, pixelwise=False)(torch.zeros(1, 3, 64, 96))


@pytest.mark.parametrize("size", [(32, 64), (33, 70), (5, 40), (17, 17), (16, 100), (1, 1), (64, 3), (49, 31)])
def test_padding_is_a_reflection(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    bottom, right = -size[0] % 32, -size[1] % 32
    mode = "reflect" if bottom < size[0] and right < size[1] else "replicate"
    padded = torch.nn.functional.pad(image, (0, right, 0, bottom), mode=mode)
    assert torch.equal(reflected_to_multiple(image, 32), padded)
    if min(size) < 16:
        return
    first = image[0].permute(1, 2, 0).numpy().copy()
    with_edge = cv2.copyMakeBorder(first, 0, bottom, 0, right, cv2.BORDER_REFLECT)
    assert np.array_equal(reflected_to_multiple(image, 32, edge=True)[0].permute(1, 2, 0).numpy(), with_edge)
