import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks.decoders import unet
from segda.networks.encoders import unet as unet_encoder

CHANNELS, STRIDES = (3, 4, 8, 16), (1, 2, 4, 8)


def _features(size: int = 32) -> list[torch.Tensor]:
    pyramid = zip(CHANNELS, STRIDES, strict=True)
    return [torch.randn(2, channels, -(-size // stride), -(-size // stride)) for channels, stride in pyramid]


def test_pix2pixs_generator_has_54_4_million_parameters() -> None:
    """Its code counts 54,413,955; here the two layers without normalisation, of 64 and 512 features, have biases."""
    encoder = unet_encoder.build()
    decoder = unet.build(encoder.channels, encoder.strides, ("target",))
    counted = sum(parameter.numel() for network in (encoder, decoder) for parameter in network.parameters())
    assert counted == 54_413_955 + 64 + 512
    layers = [layer for layer in decoder.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in layers] == [512, 512, 512, 512, 256, 128, 64, 3]
    # All but the first also take the encoder's feature map.
    assert [layer.in_channels for layer in layers] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    dropping = [layer.p for layer in decoder.modules() if isinstance(layer, nn.Dropout)]
    assert dropping == [0.5, 0.5, 0.5, 0, 0, 0, 0]


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_every_map_of_the_encoder_matters_and_the_image_is_not_copied(level: int) -> None:
    decoder = unet.build(CHANNELS, STRIDES, ("target",)).eval()
    features = _features()
    before = decoder(features, "target")
    features[level] = features[level] + 1
    assert torch.equal(decoder(features, "target"), before) == (level == 0)


def test_translating_twice_gives_the_same_image_outside_training() -> None:
    decoder = unet.build(CHANNELS, STRIDES, ("target",))
    features = _features()
    assert not torch.equal(decoder.train()(features, "target"), decoder(features, "target"))
    assert torch.equal(decoder.eval()(features, "target"), decoder(features, "target"))


@pytest.mark.parametrize("strides", [(1, 2, 8), (1, 28), (1, 4, 8), (1, 1)])
def test_strides_that_do_not_double_are_refused(strides: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="needs strides that double from 2 on, got .* use the encoder `unet`"):
        unet.build((3, 4, 8)[: len(strides)], strides, ("target",))


def test_of_equal_strides_the_last_map_is_used() -> None:
    decoder = unet.build((3, 4, 6, 8), (1, 2, 2, 4), ("target",))
    assert decoder.levels == [3, 2]
