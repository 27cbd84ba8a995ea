import pytest
import torch

from segda.losses.entropy import entropy, self_information


def test_uniform_is_1_and_certain_is_0() -> None:
    assert entropy(torch.zeros(2, 19, 3, 3)).item() == pytest.approx(1)
    certain = torch.zeros(1, 4, 2, 2)
    certain[:, 1] = 1000
    assert entropy(certain).item() == pytest.approx(0)


def test_parts_sum_to_the_whole_and_gradients_are_finite_when_certain() -> None:
    logits = torch.randn(2, 5, 3, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(self_information(logits).sum(1).mean(), entropy(logits))
    assert torch.autograd.gradcheck(entropy, logits)
    certain = torch.tensor([[[500.0]], [[-500.0]]]).view(1, 2, 1, 1).requires_grad_()
    entropy(certain).backward()
    assert torch.isfinite(certain.grad).all()
