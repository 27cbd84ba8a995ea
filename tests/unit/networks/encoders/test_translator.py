import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks.encoders import translator
from segda.networks.layers.residual_block import ResidualBlock


def test_cyclegans_widths_and_strides() -> None:
    encoder = translator.build(blocks=2)
    assert encoder.channels == (3, 64, 128, 256)
    assert sum(isinstance(module, ResidualBlock) for module in encoder.modules()) == 2
    assert encoder(torch.zeros(1, 3, 16, 24))[-1].shape == (1, 256, 4, 6)


def test_brightness_and_contrast_of_a_sample_do_not_reach_its_features() -> None:
    torch.manual_seed(0)
    encoder = translator.build(width=4, blocks=1)
    image = torch.rand(1, 3, 16, 16)
    assert torch.allclose(encoder(image * 2 - 1)[-1], encoder(image)[-1], atol=2e-2)


def test_too_small_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs 8x8"):
        translator.build(width=4)(torch.zeros(1, 3, 7, 16))


def test_the_tutorials_layers() -> None:
    """Without residual blocks, with batch normalisation: 7x7 64, 3x3 128, 3x3 256, and the counts that Keras prints."""
    encoder = translator.build(blocks=0, norm="batch", grey=True, padding="zeros", initialisation="glorot")
    layers = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers] == [3_136, 73_728, 294_912]
    assert {layer.padding_mode for layer in layers} == {"zeros"}
    assert [tuple(feature.shape[1:]) for feature in encoder(torch.zeros(2, 3, 28, 28))] == [
        (3, 28, 28), (64, 28, 28), (128, 14, 14), (256, 7, 7)
    ]  # fmt: skip
    # Keras's range, for fans of 9 * 128 and 9 * 256; CycleGAN's normal draws go beyond.
    limit = (6 / (9 * (128 + 256))) ** 0.5
    assert 0.99 * limit < float(layers[2].weight.detach().abs().max()) <= limit
