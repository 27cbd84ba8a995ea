from typing import Any

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


def test_the_pyramid_has_every_hidden_layer() -> None:
    encoder = mlp.build([8, 6, 4])
    assert encoder.channels == (3, 8, 6, 4)
    assert encoder.strides == (1, 1, 1, 1)
    assert [feature.shape[1] for feature in encoder(torch.zeros(2, 3, 1, 1))] == [3, 8, 6, 4]


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_points_can_be_normalised(norm: Any) -> None:
    assert mlp.build([8], norm=norm)(torch.randn(4, 3, 1, 1))[-1].shape == (4, 8, 1, 1)


def test_images_and_empty_networks_are_refused() -> None:
    with pytest.raises(ConfigError, match="mlp: got 28x28, is built for 1x1 alone; use it for points"):
        mlp.build()(torch.zeros(1, 3, 28, 28))
    with pytest.raises(ConfigError, match=r"widths is \[\]"):
        mlp.build([])
