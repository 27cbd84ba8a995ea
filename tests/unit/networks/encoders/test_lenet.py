import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks.encoders import lenet


def test_the_papers_layers() -> None:
    """Section 5.1: four 4x4 convolutions of stride 2 with 64, 64, 128, 128 features, batch normalisation, ReLU."""
    encoder = lenet.build(grey=True)
    layers = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert [(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride) for layer in layers] == [
        (inside, outside, (4, 4), (2, 2)) for inside, outside in ((1, 64), (64, 64), (64, 128), (128, 128))
    ]
    kinds = [type(layer).__name__ for stage in encoder.stages for layer in stage]
    assert kinds == ["Conv2d", "BatchNorm", "ReLU"] * 4
    # Weights of the convolutions, and scale and shift of each feature.
    by_hand = 16 * (64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * (64 + 64 + 128 + 128)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == by_hand


def test_z_of_a_digit_is_2_by_2() -> None:
    encoder = lenet.build()
    features = encoder(torch.zeros(2, 3, 32, 32))
    assert [tuple(feature.shape[1:]) for feature in features] == [
        (3, 32, 32), (64, 16, 16), (64, 8, 8), (128, 4, 4), (128, 2, 2)
    ]  # fmt: skip
    assert encoder.strides[-1] == 16


def test_a_grey_encoder_sees_the_average_alone() -> None:
    encoder = lenet.build(width=4, grey=True).eval()
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(encoder(image)[-1], encoder(image.mean(1, keepdim=True).expand(-1, 3, -1, -1))[-1])


def test_a_single_sample_of_a_single_pixel_cannot_train_with_batch_norm() -> None:
    with pytest.raises(ConfigError, match="use 2 or more samples a process, or norm: layer"):
        lenet.build(width=4)(torch.zeros(1, 3, 16, 16))
    assert lenet.build(width=4, norm="layer")(torch.zeros(1, 3, 16, 16))[-1].shape == (1, 8, 1, 1)


def test_an_encoder_without_features_is_refused() -> None:
    with pytest.raises(ConfigError, match="encoder lenet: width is 0"):
        lenet.build(width=0)
