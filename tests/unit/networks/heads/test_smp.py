from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from segda.errors import ConfigError
from segda.networks.encoders import smp as smp_encoder
from segda.networks.heads import smp

CHANNELS, STRIDES = (3, 4, 6, 8, 10, 12), (1, 2, 4, 8, 16, 32)
DILATED = (1, 2, 4, 8, 16, 16)


def _features(strides: tuple[int, ...], size: int = 128, batch: int = 2) -> list[torch.Tensor]:
    return [
        torch.randn(batch, channels, size // stride, size // stride)
        for channels, stride in zip(CHANNELS, strides, strict=True)
    ]


@pytest.mark.parametrize(
    ("decoder", "strides", "stride"),
    [
        ("deeplabv3", DILATED, 16),
        ("deeplabv3plus", DILATED, 4),
        ("deeplabv3plus", (1, 2, 4, 8, 8, 8), 4),
        ("fpn", STRIDES, 4),
        ("linknet", STRIDES, 1),
        ("manet", STRIDES, 1),
        ("pan", DILATED, 4),
        ("pspnet", STRIDES, 32),
        ("segformer", STRIDES, 4),
        ("unet", STRIDES, 1),
        ("unetplusplus", STRIDES, 1),
        ("upernet", DILATED, 4),
    ],
)
def test_every_decoder_gives_logits_and_uses_all_its_parameters(decoder: Any, strides: Any, stride: int) -> None:
    options = {"reduction": 2} if decoder == "manet" else None
    head = smp.build(CHANNELS, strides, 5, decoder=decoder, options=options)
    logits = head(_features(strides))
    assert logits.shape == (2, 5, 128 // stride, 128 // stride)
    logits.square().mean().backward()
    assert not [name for name, parameter in head.named_parameters() if parameter.grad is None]


@pytest.mark.parametrize("decoder", ["deeplabv3plus", "fpn", "pspnet"])
def test_dropout_is_off_by_default(decoder: Any) -> None:
    strides = DILATED if decoder == "deeplabv3plus" else STRIDES

    def rates(**options: Any) -> set[float]:
        head = smp.build(CHANNELS, strides, 5, decoder=decoder, **options)
        return {layer.p for layer in head.modules() if isinstance(layer, nn.Dropout | nn.Dropout2d)}

    assert rates() == {0.0}
    assert rates(dropout=0.3) == {0.3}


def test_options_reach_the_decoder() -> None:
    head = smp.build(CHANNELS, DILATED, 5, options={"out_channels": 32, "atrous_rates": [2, 4, 6]})
    assert head.classifier.in_channels == 32
    assert {layer.dilation for layer in head.modules() if isinstance(layer, nn.Conv2d)} == {
        (1, 1), (2, 2), (4, 4), (6, 6)
    }  # fmt: skip


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no option 'atrous_rate'; did you mean 'atrous_rates'"):
        smp.build(CHANNELS, DILATED, 5, options={"atrous_rate": [1, 2, 3]})


@pytest.mark.parametrize(("decoder", "strides"), [("deeplabv3plus", STRIDES), ("unet", DILATED), ("fpn", DILATED)])
def test_strides_that_a_decoder_cannot_merge_are_refused(decoder: Any, strides: Any) -> None:
    with pytest.raises(ConfigError, match=f"head smp: {decoder} needs"):
        smp.build(CHANNELS, strides, 5, decoder=decoder)


def test_a_size_that_does_not_divide_is_refused() -> None:
    head = smp.build(CHANNELS, DILATED, 5)
    with pytest.raises(ConfigError, match="got a 120x128 image"):
        head([torch.zeros(2, 3, 120, 128)])


def test_training_on_a_single_image_is_refused_where_it_cannot_work() -> None:
    head = smp.build(CHANNELS, DILATED, 5)
    with pytest.raises(ConfigError, match="cannot train on a batch of 1"):
        head(_features(DILATED, batch=1))
    assert head.eval()(_features(DILATED, batch=1)).shape == (1, 5, 32, 32)


def test_an_image_too_small_for_the_pools_is_refused() -> None:
    head = smp.build(CHANNELS, STRIDES, 5, decoder="pan")
    with pytest.raises(ConfigError, match="64x64 images are too small for pan"):
        head(_features(STRIDES, size=64))


def test_a_shallow_encoder_is_refused_in_the_decoders_words() -> None:
    with pytest.raises(ConfigError, match="upernet cannot follow"):
        smp.build((3, 4, 8), (1, 2, 4), 5, decoder="upernet")


def test_the_head_of_a_whole_smp_model_is_taken_where_its_decoder_fits(tmp_path: Path) -> None:
    import segmentation_models_pytorch

    model = segmentation_models_pytorch.Unet("resnet18", encoder_weights=None, classes=3)
    tensors = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    save_file(tensors, tmp_path / "model.safetensors")
    encoder = smp_encoder.build("resnet18", weights=str(tmp_path / "model.safetensors"))
    options: dict[str, Any] = {"decoder": "unet", "weights": str(tmp_path / "model.safetensors")}
    head = smp.build(encoder.channels, encoder.strides, 3, **options)
    model.eval()
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        logits = head.eval()(encoder.eval()(image))
        assert torch.equal(logits, model(encoder.imagenet_norm(image)))
    other = smp.build(encoder.channels, encoder.strides, 5, **options)
    assert torch.equal(other.decoder.blocks[0].conv1[0].weight, model.decoder.blocks[0].conv1[0].weight)
    with pytest.raises(ConfigError, match=r"do not fit SmpHead: below 'module\.' \d+ missing"):
        smp.build(encoder.channels, encoder.strides, 3, **{**options, "decoder": "fpn"})
