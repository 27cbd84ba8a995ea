import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks.samplers import coupled


def test_the_released_layers() -> None:
    sampler = coupled.build(("source", "target"), grey=True)
    layers = [layer for layer in sampler.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [(layer.out_channels, layer.kernel_size[0], layer.stride[0]) for layer in layers] == [
        (1024, 4, 1), (512, 3, 2), (256, 3, 2), (128, 3, 2), (1, 6, 1), (1, 6, 1)
    ]  # fmt: skip
    weights = 16 * 100 * 1024 + 9 * (1024 * 512 + 512 * 256 + 256 * 128) + 2 * 36 * 128
    biases = 1024 + 512 + 256 + 128 + 2
    slopes = 4
    assert sum(parameter.numel() for parameter in sampler.parameters()) == weights + biases + slopes


def test_both_domains_images_come_from_the_same_features() -> None:
    sampler = coupled.build(("source", "target"), noise=6, width=4).eval()
    noise = torch.randn(2, 6)
    image = sampler(noise, "source")
    assert image.shape == (2, 3, 28, 28)
    sampler.own["target"].load_state_dict(sampler.own["source"].state_dict())
    assert torch.equal(sampler(noise, "target"), image)
    assert sampler.noise == 6


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="sampler coupled: noise is 0"):
        coupled.build(("source",), noise=0)
    with pytest.raises(ConfigError, match="sampler coupled: size is 24"):
        coupled.build(("source",), size=24)


@pytest.mark.parametrize("size", [25, 28, 32])
def test_images_have_the_configured_size(size: int) -> None:
    sampler = coupled.build(("source", "target"), noise=3, width=2, size=size).eval()
    assert sampler(torch.randn(1, 3), "target").shape == (1, 3, size, size)
