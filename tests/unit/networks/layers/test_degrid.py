import torch
from torch import nn

from segda.networks.layers.degrid import degrid


def test_dilation_2_then_1_sees_seven_pixels_without_holes() -> None:
    layers = degrid(1).eval()
    assert [layer.dilation for layer in layers if isinstance(layer, nn.Conv2d)] == [(2, 2), (1, 1)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, 11, 11)
    x[0, 0, 5, 5] = 1
    seen = layers(x)[0, 0] > 0
    # A single pixel spreads over a solid 7x7 square.
    assert seen[2:9, 2:9].all()
    assert int(seen.sum()) == 49
