import pytest
import torch
from torch import nn

from segda.errors import ConfigError
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


def test_each_score_sees_34_by_34_pixels() -> None:
    torch.manual_seed(0)
    discriminator = patch34.build(3, 10, width=4, norm="none")
    image = torch.randn(1, 3, 64, 64, requires_grad=True)
    discriminator(image).realness[0, 0, 8, 8].backward()
    assert image.grad is not None
    seen = image.grad.abs().sum(dim=(0, 1)) > 0
    rows = seen.any(dim=1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 34


def test_the_least_image_works_and_a_smaller_one_is_refused() -> None:
    discriminator = patch34.build(3, 10, width=4)
    assert discriminator(torch.zeros(2, 3, 4, 4)).realness.shape == (2, 1, 1, 1)
    with pytest.raises(ConfigError, match="needs 4x4"):
        discriminator(torch.zeros(2, 3, 4, 3))
