import torch
from torch import nn

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


def test_a_grey_encoder_sees_only_the_average() -> None:
    encoder = lenet.build(width=4, grey=True).eval()
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(encoder(image)[-1], encoder(image.mean(1, keepdim=True).expand(-1, 3, -1, -1))[-1])
