import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks.decoders import flat


def _features(size: int = 28, batch: int = 2) -> list[torch.Tensor]:
    return [torch.zeros(batch, 3, size, size), torch.randn(batch, 10, 1, 1)]


def test_a_dense_layer_and_two_doublings_make_28_by_28() -> None:
    decoder = flat.build((3, 10), (1, 28), ("target",), grey=True)
    layers = [layer for layer in decoder.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [(layer.out_channels, layer.kernel_size[0]) for layer in layers] == [(128, 7), (64, 4), (1, 4)]
    assert decoder(_features(), "target").shape == (2, 3, 28, 28)


def test_the_first_layer_is_dense() -> None:
    decoder = flat.build((3, 10), (1, 28), ("target",), side=3, features=[4], shared_layers=1, norm="none")
    z, dense = torch.randn(2, 10, 1, 1), decoder.trunk[0]
    by_hand = (z.view(2, 10) @ dense.weight.view(10, -1)).view(2, 4, 3, 3) + dense.bias.view(1, 4, 1, 1)
    torch.testing.assert_close(dense(z), by_hand)


def test_other_sizes_are_refused() -> None:
    decoder = flat.build((3, 10), (1, 28), ("target",), features=[8, 4])
    with pytest.raises(ConfigError, match="the image: got 32x32, is built for 28x28 alone"):
        decoder(_features(32), "target")
    with pytest.raises(ConfigError, match="z: got 2x2, is built for 1x1 alone; use the decoder `transposed`"):
        decoder([torch.zeros(1, 3, 28, 28), torch.zeros(1, 10, 2, 2)], "target")
    assert flat.build((3, 10), (1, 32), ("target",), side=8)(_features(32), "target").shape == (2, 3, 32, 32)
