"""What a network's file computes against what PyTorch computes: at several sizes, in classes, in scores."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.batch import Domain
from segda.deployment.deployed import Deployed
from segda.errors import ArtefactError, reason
from segda.networks.networks import Networks
from segda.task import Task

TOLERANCES = {"fp32": 1e-4, "fp16": 2e-2}
"""The largest difference of an output that is allowed, as a share of the largest absolute output."""

LEAST_AGREEMENT = 0.8
"""The share of the pixels, or of the images, whose class a network of 8 bits must leave as it is."""

Shape = tuple[int, int, int]
"""Number of images, height, width."""


@dataclass(frozen=True)
class Difference:
    """How far the outputs of two computations are apart on images of one shape.

    Attributes:
        shape: of the images.
        share: the largest difference, as a share of the largest absolute output.
    """

    shape: Shape
    share: float


def demand_equal(
    network: nn.Module, deployed: Deployed, shapes: Sequence[Shape], uint8: bool, tolerance: float
) -> list[Difference]:
    """The differences on random images of some shapes, all within the tolerance.

    Raises:
        ArtefactError: the file computes something else, or nothing, at one of the shapes.
    """
    differences = []
    for shape in shapes:
        image = random_image(shape, uint8)
        called = "{}x3x{}x{} images".format(*shape)
        with torch.inference_mode():
            expected = network(image)
            try:
                output = deployed(image)
            except Exception as error:  # of whichever runtime
                raise ArtefactError(
                    f"the exported network fails on {called} ({reason(error)}); nothing is written, use another format"
                ) from error
        if output.shape != expected.shape:
            raise ArtefactError(
                f"the exported network makes {tuple(output.shape)} of {called}, PyTorch {tuple(expected.shape)}; "
                "nothing is written, use another format"
            )
        largest = expected.float().abs().max().clamp(min=1e-12)
        difference = (output.float() - expected.float()).abs().max()
        if output.dtype == torch.uint8:
            difference = (difference - 1).clamp(min=0)  # what lies between two levels is rounded to either
        share = float(difference / largest)
        if not share <= tolerance:  # nor not a number
            raise ArtefactError(
                f"the exported network differs by {share:.1e} of the largest output on {called}, allowed is "
                f"{tolerance:.0e}; nothing is written, use another format or precision"
            )
        differences.append(Difference(shape, share))
    return differences


def demand_agreement(network: nn.Module, deployed: Deployed, images: Iterable[Tensor]) -> float:
    """The share of pixels, or of images, that both give the same class.

    Raises:
        ArtefactError: it is below `LEAST_AGREEMENT`.
    """
    equal, whole = 0, 0
    with torch.inference_mode():
        for image in images:
            same = network(image).argmax(dim=1) == deployed(image).argmax(dim=1)
            equal, whole = equal + int(same.sum()), whole + same.numel()
    if equal / whole < LEAST_AGREEMENT:
        raise ArtefactError(
            f"the quantised network predicts as PyTorch in {equal / whole:.1%} of places in images of the training, "
            f"expected are {LEAST_AGREEMENT:.0%}; nothing is written, use fp16 or fp32"
        )
    return equal / whole


def random_image(shape: Shape, uint8: bool) -> Tensor:
    """Random images `[B, 3, H, W]`, smooth as photographs are: float32 in `[0, 1]`, or uint8."""
    count, height, width = shape
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((count, 3, -(-height // 8), -(-width // 8)), generator=generator)
    image = functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return (image * 255).round().to(torch.uint8) if uint8 else image


def taken(image: Tensor, uint8: bool) -> Tensor:
    """An image `[B, 3, H, W]` in `[-1, 1]` as an exported network takes it."""
    return ((image + 1) * 127.5).round().to(torch.uint8) if uint8 else (image + 1) / 2


def task_of(deployed: Deployed, task: Task, uint8: bool) -> Task:
    """The task with predictions of an exported network in place of those of the networks that it is given."""

    def predict(networks: Networks, image: Tensor, size: Any, domain: Domain = "target") -> Tensor:
        logits = deployed(taken(image, uint8))
        if len(size) == 2 and tuple(logits.shape[-2:]) != tuple(size):
            logits = functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return logits.argmax(dim=1)

    changed = copy.copy(task)
    changed.predict = predict  # type: ignore[method-assign]
    return changed
