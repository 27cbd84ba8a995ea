import torch
from torch import nn

from segda.networks.layers.initialisation import initialise_normal


def test_weights_are_normal_with_deviation_0_02_and_biases_zero() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(32, 64, 3), nn.ConvTranspose2d(64, 32, 4), nn.BatchNorm2d(500))
    initialise_normal(layers)
    for layer in list(layers)[:2]:
        assert abs(float(layer.weight.std()) - 0.02) < 0.001
        assert abs(float(layer.weight.mean())) < 0.001
        assert not layer.bias.any()
    assert abs(float(layers[2].weight.mean()) - 1) < 0.01
    assert abs(float(layers[2].weight.std()) - 0.02) < 0.005
