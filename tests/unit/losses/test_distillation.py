import pytest
import torch

from segda.losses.distillation import softened_divergence


def logits(seed: int) -> torch.Tensor:
    return torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equal_predictions_have_none_and_any_shift_of_logits_is_the_same() -> None:
    assert softened_divergence(logits(0), logits(0) + 3).abs().max() < 1e-12
    assert (softened_divergence(logits(0), logits(1)) > 0).all()


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_gradient_is_the_difference_of_softened_predictions(temperature: float) -> None:
    """`dL/dz = T (q - p)`, which is why the factor `T^2` keeps it of the size that it has at `T = 1`."""
    student, teacher = logits(0).requires_grad_(), logits(1)
    softened_divergence(student, teacher, temperature).sum().backward()
    q, p = ((each / temperature).softmax(1) for each in (student.detach(), teacher))
    torch.testing.assert_close(student.grad, temperature * (q - p))
