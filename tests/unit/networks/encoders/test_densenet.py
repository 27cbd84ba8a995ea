from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.networks.encoders import densenet
from segda.networks.heads import pooled


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        # The counts of the paper's code for 10 classes (the paper rounds them to 1.0 and 0.8 million).
        ({}, 1_019_722),
        ({"depth": 100, "bottleneck": True, "compression": 0.5}, 769_162),
    ],
)
def test_the_papers_networks_have_the_papers_sizes(options: dict[str, Any], parameters: int) -> None:
    encoder = densenet.build(**options)
    head = pooled.build(encoder.channels, encoder.strides, 10)
    counted = sum(parameter.numel() for network in (encoder, head) for parameter in network.parameters())
    assert counted == parameters


def test_each_block_halves_the_size_and_each_layer_adds_its_growth() -> None:
    encoder = densenet.build(depth=10, growth=4)
    assert encoder.channels == (3, 16 + 2 * 4, 24 + 2 * 4, 32 + 2 * 4)
    assert encoder.strides == (1, 1, 2, 4)
    assert densenet.build(depth=9, growth=4, blocks=4, stem_stride=2).strides == (1, 2, 4, 8, 16)


def test_dense_layers_keep_what_they_were_given() -> None:
    layer = densenet.DenseLayer(3, 4, bottleneck=False, dropout=0.0)
    x = torch.randn(2, 3, 8, 8)
    y = layer(x)
    assert y.shape == (2, 7, 8, 8)
    assert torch.equal(y[:, :3], x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 41}, "depth is 41, must be 4 and a multiple of 3 for 3 blocks; use 40"),
        ({"depth": 40, "bottleneck": True, "blocks": 4}, "must be 5 and a multiple of 8 for 4 blocks; use 37"),
        ({"depth": 4}, "depth is 4, .* use 7"),
        ({"compression": 0.0}, "compression is 0.0"),
    ],
)
def test_options_that_make_no_network_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        densenet.build(**options)
