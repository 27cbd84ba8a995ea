import torch
from torch import nn

from segda.networks.decoders import translator
from segda.networks.layers.residual_block import ResidualBlock


def test_cyclegans_layers() -> None:
    decoder = translator.build((3, 256), (1, 4), ("target",), blocks=4)
    tail = decoder.tails["target"]
    assert sum(isinstance(layer, ResidualBlock) for layer in tail) == 4
    assert [layer.out_channels for layer in tail.modules() if isinstance(layer, nn.ConvTranspose2d)] == [128, 64]
    assert (tail[-1].out_channels, tail[-1].kernel_size, tail[-1].padding_mode) == (3, (7, 7), "reflect")


def test_nothing_is_shared_by_the_domains() -> None:
    decoder = translator.build((3, 8), (1, 4), ("source", "target"), blocks=1)
    names = {name.split(".")[1] for name, _ in decoder.named_parameters()}
    assert names == {"source", "target"}


def test_residual_translation_starts_as_the_image_with_a_tenth_less_contrast() -> None:
    decoder = translator.build((3, 8), (1, 4), ("target",), blocks=1, residual=True)
    image = torch.linspace(-1, 1, 256).view(1, 1, 16, 16).expand(2, 3, 16, 16)
    translated = decoder([image, torch.randn(2, 8, 4, 4)], "target")
    torch.testing.assert_close(translated, 0.9 * image)


def test_residual_translation_learns_from_the_start_even_at_black_and_white() -> None:
    decoder = translator.build((3, 8), (1, 4), ("target",), blocks=1, residual=True)
    image = torch.cat([torch.ones(1, 3, 16, 16), -torch.ones(1, 3, 16, 16)])
    decoder([image, torch.randn(2, 8, 4, 4)], "target")[1].sum().backward()
    gradient = decoder.tails["target"][-1].weight.grad
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    grey = translator.build((3, 8), (1, 4), ("target",), blocks=1, residual=True)
    grey.load_state_dict(decoder.state_dict())
    torch.manual_seed(0)
    z = torch.randn(1, 8, 4, 4)
    bias = [network.tails["target"][-1].bias for network in (decoder, grey)]
    for network, level in ((decoder, 1.0), (grey, 0.0)):
        network.zero_grad()
        network([torch.full((1, 3, 16, 16), level), z], "target").sum().backward()
    assert bias[0].grad[0] > 0.15 * bias[1].grad[0], "saturated colours keep a fifth of the gradient"


def test_the_tutorials_layers() -> None:
    """Two transposed convolutions and a 7x7 one, with the counts that Keras prints; 28x28 and grey."""
    decoder = translator.build(
        (3, 64, 128, 256), (1, 1, 2, 4), ("target",),
        blocks=0, norm="batch", grey=True, padding="zeros", initialisation="glorot",
    )  # fmt: skip
    layers = [layer for layer in decoder.modules() if isinstance(layer, nn.ConvTranspose2d | nn.Conv2d)]
    assert [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers] == [294_912, 73_728, 3_137]
    # With the encoder's 372,672 (three convolutions and their normalisation): the tutorial's 744,833.
    assert sum(parameter.numel() for parameter in decoder.parameters()) + 372_672 == 744_833


def test_a_grey_residual_leaves_the_images_colours() -> None:
    decoder = translator.build((3, 8), (1, 4), ("target",), blocks=1, residual=True, grey=True)
    image = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(decoder([image, torch.randn(2, 8, 4, 4)], "target"), 0.9 * image)
