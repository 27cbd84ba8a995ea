"""With windows and tiles only the image and its output grow with the image's size, not what the networks take."""

import pytest
import torch

from pipelines.stages.export.translation import Tiling, Translator
from segda import label_space
from segda.engine.peak_memory import DEVICE, MetaPeakMemory
from segda.evaluation import test_time_augmentation
from segda.evaluation.test_time_augmentation import Augmentation
from segda.networks.networks import Networks
from segda.networks.networks import build as build_networks
from segda.tasks import segmentation

WHOLE = 3 + 1
"""Bytes a pixel of what has the whole image's size: itself and the prediction."""
BAND = 4 * 2 * (19 + 1)
"""Bytes a pixel of the rows that windows cover at a time: probabilities and counts, twice while they move down."""


def networks() -> Networks:
    with DEVICE:
        built = build_networks(
            {"encoder", "head", "decoder.target"}, classes=19, tied=True,
            encoder={"name": "small", "width": 64}, head={"name": "small", "width": 64},
            decoder={"name": "translator", "blocks": 2},
        )  # fmt: skip
    built.train(False)
    return built


def predicting(size: tuple[int, int], how: Augmentation) -> int:
    built, task = networks(), segmentation.build(label_space.load("cityscapes"))
    with torch.no_grad(), MetaPeakMemory() as peak:
        kind = torch.float32 if how.window is None else torch.uint8
        test_time_augmentation.predict(built, task, torch.zeros(1, 3, *size, device=DEVICE, dtype=kind), size, how)
    return peak.most


def translating(size: tuple[int, int], tiling: Tiling | None) -> int:
    built = networks()
    with torch.no_grad(), MetaPeakMemory() as peak:
        Translator(built, ("target",), DEVICE, tiling).decode(
            torch.zeros(1, 3, *size, device=DEVICE), "source", "target"
        )
    return peak.most


@pytest.mark.promise("tiles-bound-memory")
@pytest.mark.parametrize("size", [(512, 1024), (1024, 2048), (4096, 2048)])
def test_windows(size: tuple[int, int]) -> None:
    pixels = size[0] * size[1]
    window = predicting((256, 256), test_time_augmentation.NO_AUGMENTATION)
    assert predicting(size, test_time_augmentation.NO_AUGMENTATION) > 0.9 * window * pixels / 256**2
    most = predicting(size, Augmentation(window=(256, 256), window_batch=1))
    assert most < window + BAND * 256 * size[1] + WHOLE * pixels


@pytest.mark.promise("tiles-bound-memory")
@pytest.mark.parametrize("size", [(512, 1024), (1024, 2048)])
def test_tiles(size: tuple[int, int]) -> None:
    pixels = size[0] * size[1]
    tile = translating((256, 256), None)
    assert translating(size, None) > 0.9 * tile * pixels / 256**2
    # The image, its sum and the quotient, and one plane of weights.
    assert translating(size, Tiling((256, 256), 64)) < tile + 4 * (3 + 3 + 3 + 2) * pixels
