import pytest
import torch
from torch import nn

from segda.engine import adabn
from segda.networks.networks import Networks


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(3, affine=False)
        self.drop = nn.Dropout(0.5)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        return [image, self.drop(self.normalise(image))]


class Head(nn.Module):
    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        return features[-1]


@pytest.fixture
def networks() -> Networks:
    return Networks({"encoder": Encoder(), "head": Head()}, tied=True)


def test_estimated_statistics_are_the_mean_over_target_batches(networks: Networks) -> None:
    layer = networks.modules["encoder"].normalise
    layer.running_mean.fill_(7.0)
    batches = [torch.randn(4, 3, 8, 8) + 1, 3 * torch.randn(4, 3, 8, 8)]
    adabn.estimate(networks, batches)
    torch.testing.assert_close(layer.running_mean, torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0))
    torch.testing.assert_close(layer.running_var, torch.stack([b.var((0, 2, 3)) for b in batches]).mean(0))
    assert layer.momentum == 0.1
    assert not any(module.training for module in networks.modules["encoder"].modules())


def test_estimating_twice_gives_the_same_bits(networks: Networks) -> None:
    batches = [torch.randn(2, 3, 8, 8) for _ in range(3)]
    adabn.estimate(networks, batches)
    first = networks.modules["encoder"].normalise.running_var.clone()
    adabn.estimate(networks, batches)
    assert torch.equal(first, networks.modules["encoder"].normalise.running_var)


def test_a_teacher_normalises_by_its_batch_and_keeps_its_statistics_and_dropout_off(networks: Networks) -> None:
    encoder = networks.modules["encoder"].eval()
    before = {name: value.clone() for name, value in encoder.state_dict().items() if "running" in name}
    adabn.normalise_by_batch(networks.modules)
    image = 5 * torch.randn(4, 3, 8, 8) + 2
    z = encoder(image)[-1]
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.var((0, 2, 3), correction=0), torch.ones(3), atol=1e-3, rtol=0)
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in before.items())
