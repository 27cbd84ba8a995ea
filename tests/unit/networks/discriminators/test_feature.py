import torch
from torch import nn

from segda.networks.discriminators import feature


def test_the_papers_layers() -> None:
    """Section 5.2: three 1x1 convolutions with 500, 500, 1 features."""
    layers = [layer for layer in feature.build(512, 19).modules() if isinstance(layer, nn.Conv2d)]
    assert [(layer.out_channels, layer.kernel_size) for layer in layers] == [(500, (1, 1)), (500, (1, 1)), (1, (1, 1))]


def test_each_position_is_scored_by_itself() -> None:
    discriminator = feature.build(6, 19, width=8)
    z = torch.randn(1, 6, 3, 4)
    scores = discriminator(z).realness
    assert scores.shape == (1, 1, 3, 4)
    assert torch.allclose(scores[..., 1:2, 2:3], discriminator(z[..., 1:2, 2:3]).realness, atol=1e-6)
