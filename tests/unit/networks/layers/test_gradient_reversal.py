import torch

from segda.networks.layers.gradient_reversal import reverse_gradient


def test_forward_is_the_identity_and_backward_is_negated_and_scaled() -> None:
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = reverse_gradient(x, 0.5)
    assert torch.equal(y, x)
    (y * torch.tensor([3.0, 4.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-1.5, -2.0]
