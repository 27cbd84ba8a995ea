import torch
from torch import nn

from segda.networks.discriminators import patch
from segda.networks.layers.normalisation import InstanceNorm


def test_the_papers_layers() -> None:
    """Section 5.3: four 4x4 convolutions of stride 2, features 64, 128, 256, 1."""
    discriminator = patch.build(3, 19)
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d)]
    assert [(layer.out_channels, layer.kernel_size, layer.stride) for layer in layers] == [
        (count, (4, 4), (2, 2)) for count in (64, 128, 256, 1)
    ]
    assert sum(isinstance(layer, InstanceNorm) for layer in discriminator.modules()) == 3
    assert discriminator(torch.zeros(2, 3, 64, 96)).realness.shape == (2, 1, 4, 6)


def test_digits_of_32_by_32_get_2_by_2_scores() -> None:
    """Section 5.1."""
    assert patch.build(3, 10)(torch.zeros(2, 3, 32, 32)).realness.shape == (2, 1, 2, 2)


def test_a_grey_discriminator_sees_only_each_images_average() -> None:
    discriminator = patch.build(6, 10, width=4, grey=True)
    assert discriminator.layers[0].in_channels == 2
    pair = torch.rand(1, 6, 32, 32)
    same = torch.cat([pair[:, :3].flip(1), pair[:, 3:].flip(1)], dim=1)
    torch.testing.assert_close(discriminator(pair).realness, discriminator(same).realness)
    exchanged = torch.cat([pair[:, 3:], pair[:, :3]], dim=1)
    assert not torch.allclose(discriminator(pair).realness, discriminator(exchanged).realness)
