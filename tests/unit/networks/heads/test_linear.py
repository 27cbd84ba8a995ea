import pytest
import torch

from segda.networks.heads import linear


@pytest.mark.parametrize("kernel", [1, 3])
def test_logits_are_a_linear_function_of_the_last_map_only(kernel: int) -> None:
    head = linear.build((3, 8), (1, 8), 5, kernel=kernel)  # type: ignore[arg-type]
    z, other = torch.randn(1, 8, 4, 6), torch.randn(1, 8, 4, 6)
    image = torch.zeros(1, 3, 32, 48)
    at_zero = head([image, torch.zeros_like(z)])
    assert at_zero.shape == (1, 5, 4, 6)
    total = head([image, z]) + head([image, other]) - at_zero
    assert torch.allclose(head([image + 1, z + other]), total, atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    head = linear.build((3, 64), (1, 8), 2, dropout=0.5)
    z = [torch.randn(1, 64, 2, 2)]
    assert not torch.equal(head.train()(z), head(z))
    assert torch.equal(head.eval()(z), head(z))


def test_glorot_starts_from_kerass_range() -> None:
    head = linear.build((3, 128), (1, 28), 10, glorot=True)
    limit = (6 / 138) ** 0.5
    assert 0.95 * limit < float(head.classifier.weight.detach().abs().max()) <= limit
    assert not head.classifier.bias.any()
