import math

import pytest
import torch
from torch import Tensor

from segda.losses.class_confusion import class_confusion


def of_matrix(logits: Tensor, temperature: float) -> Tensor:
    """With the matrix of classes written out, and weights scaled to mean 1."""
    p = (logits / temperature).softmax(1)
    weight = (1 + torch.exp((p * p.log()).sum(1))).detach()
    matrix = (weight / weight.mean() * p.T) @ p
    matrix = matrix / matrix.sum(1, keepdim=True)
    return (matrix.sum() - matrix.trace()) / len(matrix)


def test_certain_different_predictions_confuse_nothing_and_uniform_ones_everything() -> None:
    assert class_confusion(1000 * torch.eye(5)).item() == pytest.approx(0, abs=1e-6)
    assert class_confusion(torch.zeros(7, 5)).item() == pytest.approx(1 - 1 / 5)


def test_two_samples_by_hand() -> None:
    """Rows (0.8, 0.2) and (0.5, 0.5): entropies 0.5004 and 0.6931, weights 1 + e^-H = 1.6063 and 1.5."""
    logits = torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()
    first, second = 1 + math.exp(0.8 * math.log(0.8) + 0.2 * math.log(0.2)), 1.5
    of_0 = (first * 0.8**2 + second * 0.5**2) / (first * 0.8 + second * 0.5)
    of_1 = (first * 0.2**2 + second * 0.5**2) / (first * 0.2 + second * 0.5)
    assert class_confusion(logits, 1.0).item() == pytest.approx(1 - (of_0 + of_1) / 2)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_value_and_gradient_are_those_of_the_matrix(temperature: float) -> None:
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    values = [loss(logits, temperature) for loss in (class_confusion, of_matrix)]
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in values))


def test_a_class_that_nothing_could_be_is_finite() -> None:
    logits = torch.tensor([[0.0, -2000.0], [1.0, -2000.0]], requires_grad=True)
    value = class_confusion(logits)
    value.backward()
    assert math.isfinite(value.item())
    assert torch.isfinite(logits.grad).all()
