import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks.encoders import two_convolutions


def test_the_tutorials_layers_and_counts() -> None:
    """Keras prints 1,600 and 100,416 for the convolutions; the dense layer has 3,136 inputs and 128 units."""
    encoder = two_convolutions.build(grey=True)
    layers = [layer for layer in encoder.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers] == [
        1_600, 100_416, (3136 + 1) * 128
    ]  # fmt: skip
    features = encoder(torch.zeros(2, 3, 28, 28))
    assert [tuple(feature.shape[1:]) for feature in features] == [(3, 28, 28), (32, 14, 14), (64, 7, 7), (128, 1, 1)]
    assert encoder.strides == (1, 2, 4, 28)


def test_it_starts_as_keras_starts_it() -> None:
    encoder = two_convolutions.build(grey=True)
    for layer, fans in ((encoder.stride4[0], 49 * (32 + 64)), (encoder.dense[1], 3136 + 128)):
        limit = (6 / fans) ** 0.5
        assert 0.98 * limit < float(layer.weight.detach().abs().max()) <= limit
        assert not layer.bias.any()


def test_another_size_is_an_option() -> None:
    assert two_convolutions.build(size=32, hidden=8)(torch.zeros(1, 3, 32, 32))[-1].shape == (1, 8, 1, 1)
    with pytest.raises(ConfigError, match="size is 30, must be a multiple of 4; use 32"):
        two_convolutions.build(size=30)
    with pytest.raises(ConfigError, match="size is 0, must be a multiple of 4; use 4"):
        two_convolutions.build(size=0)


def test_black_is_zero_as_the_padding_is() -> None:
    """The tutorial's images lie in [0, 1]: a black one gives only the biases, which start at zero."""
    encoder = two_convolutions.build()
    black, white = torch.full((1, 3, 28, 28), -1.0), torch.ones(1, 3, 28, 28)
    assert not any(feature.any() for feature in encoder(black)[1:])
    convolution, halve = encoder.stride2[0], torch.nn.functional.max_pool2d
    assert torch.equal(encoder(white)[1], halve(convolution(torch.ones(1, 3, 28, 28)).relu(), 2))


def test_another_range_of_values() -> None:
    image = torch.rand(1, 3, 28, 28) * 2 - 1
    encoder = two_convolutions.build(input_range=(-1, 1))
    halve = torch.nn.functional.max_pool2d
    assert torch.equal(encoder(image)[1], halve(encoder.stride2[0](image).relu(), 2))
    assert encoder(image)[0] is image
    for values in ((1.0, 0.0), (0.0, 0.0), (0.0, float("inf"))):
        with pytest.raises(ConfigError, match="input_range is .* two finite numbers, black's value below white's"):
            two_convolutions.build(input_range=values)
