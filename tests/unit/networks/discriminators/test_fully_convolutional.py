import torch
from torch import nn

from segda.networks.discriminators import fully_convolutional


def test_the_papers_layers() -> None:
    """Section 4.3: five 4x4 convolutions of stride 2 with 64, 128, 256, 512, 1 features."""
    discriminator = fully_convolutional.build(19, 19)
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in layers] == [64, 128, 256, 512, 1]
    assert discriminator(torch.zeros(1, 19, 64, 96)).realness.shape == (1, 1, 2, 3)


def test_fewer_layers_score_small_maps() -> None:
    assert fully_convolutional.build(5, 5, width=4, layers=3)(torch.zeros(1, 5, 8, 8)).realness.shape == (1, 1, 1, 1)
