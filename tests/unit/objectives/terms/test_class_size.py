import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.errors import ConfigError
from segda.networks.networks import Networks
from segda.objectives.class_sizes import ClassSizes
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.terms.class_size import ClassSize


class Own(nn.Module):
    def forward(self, image: Tensor) -> list[Tensor]:
        return [image]


class Head(nn.Module):
    def forward(self, features: list[Tensor]) -> Tensor:
        return features[-1]


def forward_pass(batch_of: Any, task: Any, probability: list[list[float]], sizes: ClassSizes) -> ForwardPass:
    """One target image whose pixels have these probabilities for three classes."""
    batch = batch_of(1)
    logits = torch.tensor(probability).T[None, :, None, :].log().requires_grad_()
    batch = batch._replace(target=batch.target._replace(image=logits))
    networks = Networks({"encoder": Own(), "head": Head()}, True)
    return ForwardPass(
        batch, networks, task, seed=0, progress=0.0, pools={}, gather=lambda x: x, teacher=None, measured_sizes=sizes
    )


def sizes(least: list[float], mean: list[float], most: list[float]) -> ClassSizes:
    return ClassSizes(torch.tensor(least), torch.tensor(mean), torch.tensor(most))


# Two pixels. Soft sizes 0.6, 0.25 and 0.15; by argmax class 0 has one pixel and class 1 the other.
TWO = [[0.9, 0.05, 0.05], [0.3, 0.45, 0.25]]


def test_too_large_counts_fully_and_too_small_a_tenth(batch_of: Any, task: Any) -> None:
    # All lower bounds are below 0.1, so no class is large.
    p = forward_pass(batch_of, task, TWO, sizes([0.05] * 3, [0.1, 0.5, 0.5], [0.3, 0.9, 0.9]))
    expected = math.log(0.6 / 0.3) + 0.1 * math.log(0.5 / 0.25)  # no pixel is predicted as class 2: absent
    assert ClassSize(1.0).generator(p).item() == pytest.approx(expected, rel=1e-5)
    assert ClassSize(1.0).measures(p) == {"too_small": 1.0, "too_large": 1.0}
    p = forward_pass(batch_of, task, TWO, sizes([0.05] * 3, [0.1, 0.5, 0.5], [0.3, 0.9, 0.9]))
    assert ClassSize(1.0, lower=1.0).generator(p).item() == pytest.approx(2 * math.log(2), rel=1e-5)


def test_large_classes_count_a_tenth(batch_of: Any, task: Any) -> None:
    p = forward_pass(batch_of, task, TWO, sizes([0.2, 0.05, 0.05], [0.25] * 3, [0.3, 0.9, 0.9]))
    assert ClassSize(1.0).generator(p).item() == pytest.approx(0.1 * math.log(2), rel=1e-5)


def test_a_class_is_present_above_a_tenth_of_its_least_size(batch_of: Any, task: Any) -> None:
    pixels = [[0.9, 0.05, 0.05]] * 19 + [[0.05, 0.9, 0.05]]  # class 1 is predicted in 5 % of them
    for least, present in ((0.4, True), (0.6, False)):
        p = forward_pass(batch_of, task, pixels, sizes([0.0, least, 0.0], [0.0, 0.5, 0.0], [1.0] * 3))
        loss = ClassSize(1.0, lower=1.0, large_factor=1.0).generator(p)
        expected = math.log(0.5 / (0.95 * 0.05 + 0.05 * 0.9)) if present else 0.0
        assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_a_class_that_no_source_image_has_neither_counts_nor_spoils_the_gradient(batch_of: Any, task: Any) -> None:
    nan = float("nan")
    p = forward_pass(batch_of, task, TWO, sizes([nan, 0.05, 0.05], [nan, 0.5, 0.1], [nan, 0.9, 0.9]))
    loss = ClassSize(1.0, lower=1.0).generator(p)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2), rel=1e-5)
    gradient = p.image("target").grad
    assert gradient.isfinite().all()
    assert (gradient[0, 1] < 0).all(), "descending makes class 1 larger"


def test_negative_factors_are_named() -> None:
    with pytest.raises(ConfigError, match=r"class_size\.lower: found -1"):
        ClassSize(1.0, lower=-1.0)


def test_needs_a_label_for_every_pixel() -> None:
    assert ClassSize(1.0).needs() == {"encoder", "head", "class_sizes", "label_map"}
