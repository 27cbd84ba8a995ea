import pytest
import torch

from segda.networks.layers.residual_block import ResidualBlock


def test_with_zero_weights_it_is_the_identity() -> None:
    block = ResidualBlock(2, "none")
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(1, 2, 5, 7)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize(("padding", "dilation"), [("zeros", 1), ("zeros", 4), ("reflect", 1)])
def test_it_keeps_the_size(padding: str, dilation: int) -> None:
    block = ResidualBlock(4, "instance", padding=padding, dilation=dilation)  # type: ignore[arg-type]
    assert block(torch.randn(1, 4, 9, 6)).shape == (1, 4, 9, 6)


def test_reflection_shows_no_border_to_a_constant_map() -> None:
    block = ResidualBlock(1, "none", padding="reflect")
    y = block(torch.ones(1, 1, 6, 6))
    assert y.max() - y.min() < 1e-6
    zeros = ResidualBlock(1, "none")
    zeros.load_state_dict(block.state_dict())
    bordered = zeros(torch.ones(1, 1, 6, 6))
    assert bordered.max() - bordered.min() > 1e-4
