import math

import torch
from torch import nn

from segda.networks.layers.initialisation import initialise_glorot, initialise_normal


def test_weights_are_normal_with_deviation_0_02_and_biases_zero() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(32, 64, 3), nn.ConvTranspose2d(64, 32, 4), nn.BatchNorm2d(500))
    initialise_normal(layers)
    for layer in list(layers)[:2]:
        assert abs(float(layer.weight.detach().std()) - 0.02) < 0.001
        assert abs(float(layer.weight.detach().mean())) < 0.001
        assert not layer.bias.any()
    assert abs(float(layers[2].weight.mean()) - 1) < 0.01
    assert abs(float(layers[2].weight.std()) - 0.02) < 0.005


def test_glorot_fills_its_range_evenly() -> None:
    """As Keras: a 7x7 convolution from 32 to 64 maps has fans 1568 and 3136, a dense layer its units."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(32, 64, 7), nn.Linear(3136, 128), nn.BatchNorm2d(4))
    initialise_glorot(layers)
    for layer, fans in zip(layers, (49 * (32 + 64), 3136 + 128), strict=False):
        limit = math.sqrt(6 / fans)
        assert 0.99 * limit < float(layer.weight.detach().abs().max()) <= limit
        assert abs(float(layer.weight.detach().std()) - limit / math.sqrt(3)) < 0.01 * limit
        assert not layer.bias.any()
    assert torch.equal(layers[2].weight, torch.ones(4))


def test_gain_and_bias_can_be_chosen() -> None:
    layer = nn.ConvTranspose2d(8, 8, 4)
    initialise_glorot(layer, gain=2.0, bias=0.1)
    assert float(layer.weight.detach().abs().max()) > math.sqrt(6 / (2 * 8 * 16))
    assert torch.equal(layer.bias, torch.full((8,), 0.1))
