import pytest
import torch

from segda.errors import ConfigError
from segda.networks.encoders import classic_lenet
from segda.networks.heads import linear


def test_lenet_of_caffe_has_431080_parameters() -> None:
    encoder = classic_lenet.build(grey=True)
    head = linear.build(encoder.channels, encoder.strides, 10)
    # 20 maps of 5x5, 50 of 5x5x20, 500 units on 4x4x50, 10 classes; each with a bias.
    by_hand = 20 * 26 + 50 * (25 * 20 + 1) + 500 * (16 * 50 + 1) + 10 * 501
    counted = sum(parameter.numel() for network in (encoder, head) for parameter in network.parameters())
    assert counted == by_hand == 431_080


def test_another_size_is_an_option() -> None:
    assert classic_lenet.build(size=32, hidden=8)(torch.zeros(1, 3, 32, 32))[-1].shape == (1, 8, 1, 1)
    assert classic_lenet.build(size=16, hidden=8)(torch.zeros(1, 3, 16, 16))[-1].shape == (1, 8, 1, 1)
    with pytest.raises(ConfigError, match="size is 15, must be 16 or more"):
        classic_lenet.build(size=15)


def test_dropout_acts_in_training_only() -> None:
    encoder = classic_lenet.build(dropout=0.5, hidden=64)
    image = torch.rand(2, 3, 28, 28)
    assert not torch.equal(encoder.train()(image)[-1], encoder(image)[-1])
    assert torch.equal(encoder.eval()(image)[-1], encoder(image)[-1])
    with pytest.raises(ConfigError, match="dropout is 1.5"):
        classic_lenet.build(dropout=1.5)
