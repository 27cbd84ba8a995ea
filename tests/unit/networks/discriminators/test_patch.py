import pytest
import torch
from torch import nn

from segda.errors import ConfigError
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
    judgement = discriminator(torch.zeros(2, 3, 64, 96))
    assert judgement.realness.shape == (2, 1, 4, 6)
    assert judgement.semantic is None


def test_digits_of_32_by_32_get_2_by_2_scores() -> None:
    """Section 5.1."""
    assert patch.build(3, 10)(torch.zeros(2, 3, 32, 32)).realness.shape == (2, 1, 2, 2)


def test_a_grey_discriminator_sees_each_images_average_alone() -> None:
    discriminator = patch.build(6, 10, width=4, grey=True)
    assert discriminator.layers[0].in_channels == 2
    pair = torch.rand(1, 6, 32, 32)
    same = torch.cat([pair[:, :3].flip(1), pair[:, 3:].flip(1)], dim=1)
    torch.testing.assert_close(discriminator(pair).realness, discriminator(same).realness)
    exchanged = torch.cat([pair[:, 3:], pair[:, :3]], dim=1)
    assert not torch.allclose(discriminator(pair).realness, discriminator(exchanged).realness)


def test_the_least_image_works_and_a_smaller_one_is_refused() -> None:
    discriminator = patch.build(3, 19, width=4)
    assert discriminator(torch.zeros(1, 3, 16, 16)).realness.shape == (1, 1, 1, 1)
    with pytest.raises(ConfigError, match="got 15x16 pixels, needs 16x16"):
        discriminator(torch.zeros(1, 3, 15, 16))


def test_a_gradient_penalty_reaches_the_weights() -> None:
    discriminator = patch.build(3, 19, width=4)
    x = torch.randn(2, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(x).realness.sum(), x, create_graph=True)
    gradient.square().sum().backward()
    first = next(discriminator.parameters())
    assert first.grad is not None
    assert first.grad.abs().max() > 0


def test_without_batch_norm_a_samples_score_does_not_depend_on_the_others() -> None:
    discriminator = patch.build(3, 19, width=4).train()
    x = torch.randn(3, 3, 32, 32)
    assert torch.allclose(discriminator(x).realness[:1], discriminator(x[:1]).realness, atol=1e-5)
