import pytest
import torch

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
