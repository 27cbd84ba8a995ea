import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks.decoders import transposed


def _layers(decoder: nn.Module) -> list[tuple[str, int, int]]:
    return [
        (type(layer).__name__, layer.out_channels, layer.kernel_size[0])
        for layer in decoder.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]


def test_the_papers_layers_at_output_stride_8() -> None:
    """Section 5.3: a 3x3 convolution, three 4x4 transposed ones, features 512, 256, 128, 3; two layers shared."""
    decoder = transposed.build((3, 512), (1, 8), ("source", "target"))
    shared = [("Conv2d", 512, 3), ("ConvTranspose2d", 256, 4)]
    own = [("ConvTranspose2d", 128, 4), ("ConvTranspose2d", 3, 4)]
    assert _layers(decoder.trunk) == shared
    assert _layers(decoder.tails["source"]) == _layers(decoder.tails["target"]) == own


def test_the_papers_layers_at_output_stride_32() -> None:
    """Section 5.2: five 4x4 transposed convolutions, features 512, 256, 128, 64, 3."""
    decoder = transposed.build((3, 512), (1, 32), ("target",))
    assert _layers(decoder) == [("ConvTranspose2d", count, 4) for count in (512, 256, 128, 64, 3)]


def test_the_papers_layers_for_digits() -> None:
    """Section 5.1: four 4x4 transposed convolutions, features 512, 256, 128, 1; z is 2x2, the image 32x32 and grey."""
    decoder = transposed.build((3, 128), (1, 16), ("source", "target"), features=[512, 256, 128], grey=True)
    assert _layers(decoder.trunk) == [("ConvTranspose2d", 512, 4), ("ConvTranspose2d", 256, 4)]
    own = [("ConvTranspose2d", 128, 4), ("ConvTranspose2d", 1, 4)]
    assert _layers(decoder.tails["source"]) == _layers(decoder.tails["target"]) == own
    assert decoder([torch.zeros(2, 3, 32, 32), torch.randn(2, 128, 2, 2)], "target").shape == (2, 3, 32, 32)


def test_a_pooled_z_is_refused_with_the_remedy() -> None:
    decoder = transposed.build((3, 8), (1, 4), ("target",), width=8)
    with pytest.raises(ConfigError, match="1x1 at stride 4 does not fill 28x28; use the decoder `flat`"):
        decoder([torch.zeros(1, 3, 28, 28), torch.zeros(1, 8, 1, 1)], "target")


@pytest.mark.parametrize("stride", [2, 4, 8, 16, 32])
def test_the_image_has_the_inputs_size_for_odd_sizes_too(stride: int) -> None:
    decoder = transposed.build((3, 6), (1, stride), ("target",), width=8, shared_layers=1)
    features = [torch.zeros(2, 3, 65, 97), torch.randn(2, 6, -(-65 // stride), -(-97 // stride))]
    image = decoder(features, "target")
    assert image.shape == (2, 3, 65, 97)
    assert image.abs().max() <= 1


def test_the_domains_share_the_trunk_and_differ_in_their_tails() -> None:
    torch.manual_seed(0)
    decoder = transposed.build((3, 6), (1, 4), ("source", "target"), width=8).eval()
    features = [torch.zeros(1, 3, 16, 16), torch.randn(1, 6, 4, 4)]
    assert not torch.allclose(decoder(features, "source"), decoder(features, "target"))
    decoder(features, "source").sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.trunk.parameters())
    assert all(parameter.grad is None for parameter in decoder.tails["target"].parameters())


def test_features_that_do_not_undo_the_stride_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 features given for an encoder of output stride 8; give 3"):
        transposed.build((3, 6), (1, 8), ("target",), features=[8], shared_layers=0)


@pytest.mark.parametrize("shared", [-1, 4])
def test_a_domain_keeps_a_layer_of_its_own(shared: int) -> None:
    with pytest.raises(ConfigError, match=f"shared_layers is {shared}, must be from 0 to 3"):
        transposed.build((3, 6), (1, 8), ("target",), width=8, shared_layers=shared)
