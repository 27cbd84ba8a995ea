import pytest
import torch

from segda.errors import ConfigError
from segda.networks.encoders import mlp


def test_danns_network_for_moons() -> None:
    encoder = mlp.build(activation="sigmoid")
    weight, bias = encoder.stages[0][0].weight, encoder.stages[0][0].bias
    point = torch.tensor([0.5, -1.0, 0.0]).view(1, 3, 1, 1)
    by_hand = torch.sigmoid(weight.view(15, 3) @ torch.tensor([0.5, -1.0, 0.0]) + bias)
    image, z = encoder(point)
    assert image is point
    torch.testing.assert_close(z, by_hand.view(1, 15, 1, 1))


def test_an_empty_network_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"widths is \[\]"):
        mlp.build([])
