import torch
from torch import nn

from segda.networks.discriminators import patch34


def test_the_tutorials_layers_and_counts() -> None:
    """As Keras prints them: 28x28 images, 7x7 scores."""
    discriminator = patch34.build(3, 10, grey=True)
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d)]
    assert [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers] == [
        1_088, 131_072, 524_288, 4_097
    ]  # fmt: skip
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in discriminator.modules()) == 2
    assert discriminator(torch.zeros(2, 3, 28, 28)).realness.shape == (2, 1, 7, 7)
