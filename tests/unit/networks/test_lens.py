import torch

from segda.networks.lens import Lens


def image(height: int = 6, width: int = 5) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_starts_as_the_identity_at_any_size() -> None:
    for size in ((6, 5), (1, 1)):
        assert torch.equal(Lens(4, 1)(image(*size)), image(*size))


def test_every_parameter_learns_once_the_last_layer_has_moved() -> None:
    lens = Lens(4, 1)
    lens(image()).sum().backward()
    last = lens.layers[-1]
    assert last.weight.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in lens.parameters())
    with torch.no_grad():
        last.weight -= 0.1 * last.weight.grad
    lens.zero_grad(set_to_none=True)
    lens(image()).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in lens.parameters())
