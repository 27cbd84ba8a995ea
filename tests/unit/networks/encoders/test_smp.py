import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from segda import torchvision_compat
from segda.errors import ConfigError
from segda.networks import import_weights
from segda.networks.encoders import smp


def test_output_stride_16_dilates_the_last_stage() -> None:
    encoder = smp.build(output_stride=16)
    assert encoder.strides == (1, 2, 4, 8, 16, 16)
    assert encoder.channels == (3, 16, 24, 32, 96, 1280)
    assert encoder(torch.zeros(1, 3, 64, 64))[-1].shape == (1, 1280, 4, 4)


def test_layers_beyond_the_depth_take_no_gradient() -> None:
    encoder = smp.build("resnet18", depth=3)
    assert encoder.strides == (1, 2, 4, 8)
    assert not any(parameter.requires_grad for parameter in encoder.encoder.layer4.parameters())
    assert all(parameter.requires_grad for parameter in encoder.encoder.layer2.parameters())


def test_sizes_that_an_encoder_cannot_take_are_refused_with_the_remedy() -> None:
    encoder = smp.build("tu-convnext_atto", depth=4)
    with pytest.raises(ConfigError, match="65x97 images .* multiples of 32"):
        encoder(torch.zeros(1, 3, 65, 97))


def test_an_unknown_encoder_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mobilenet_v2'"):
        smp.build("mobilenet_v22")
    with pytest.raises(ConfigError, match="unknown encoder 'tu-resnet3333'"):
        smp.build("tu-resnet3333")


def test_an_encoder_that_cannot_be_dilated_is_refused() -> None:
    with pytest.raises(ConfigError, match="'densenet121' cannot have depth 5 and output_stride 8"):
        smp.build("densenet121", output_stride=8)


def test_a_timm_file_loads_into_a_tu_encoder(tmp_path: Path) -> None:
    torchvision_compat.import_ready()
    import timm

    whole = timm.create_model("convnext_atto").state_dict()
    safetensors.torch.save_file(whole, tmp_path / "convnext.safetensors")
    stages = smp.build("tu-convnext_atto", weights=str(tmp_path / "convnext.safetensors")).encoder.model.state_dict()
    assert torch.equal(stages["stages_3.blocks.0.conv_dw.weight"], whole["stages.3.blocks.0.conv_dw.weight"])


def test_tu_encoders_take_the_image_statistics_of_their_training() -> None:
    own = smp.build("tu-tf_mobilenetv3_small_minimal_100", depth=2).imagenet_norm
    assert own.mean.flatten().tolist() == own.std.flatten().tolist() == [0.5, 0.5, 0.5]
    usual = smp.build("tu-convnext_atto", depth=2).imagenet_norm
    assert usual.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("timm-tf_efficientnet_lite0", [0.5] * 3, [0.5] * 3),
        ("xception", [0.5] * 3, [0.5] * 3),
        ("dpn68", [124 / 255, 117 / 255, 104 / 255], [1 / (0.0167 * 255)] * 3),
        ("mit_b0", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ],
)
def test_smps_own_encoders_take_the_image_statistics_of_their_training(
    name: str, mean: list[float], std: list[float]
) -> None:
    norm = smp.build(name, depth=3).imagenet_norm
    assert norm.mean.flatten().tolist() == pytest.approx(mean)
    assert norm.std.flatten().tolist() == pytest.approx(std)


@pytest.mark.data
def test_the_local_mobilenet_weights_load_strictly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(os.environ.get("SEGDA_DATA", "")) / "weights" / "mobilenet_v2-imagenet.pth"
    if not path.is_file():
        pytest.skip(f"{path} is missing; set SEGDA_DATA")
    monkeypatch.setenv("SEGDA_IMPORTED", str(tmp_path))
    import_weights.keep(path)
    encoder = smp.build("mobilenet_v2", weights=str(path))
    content = torch.load(path, weights_only=True)
    name = "features.18.0.weight"
    assert torch.equal(encoder.encoder.state_dict()[name], content[name])
    assert set(content) - set(encoder.encoder.state_dict()) == {"classifier.1.weight", "classifier.1.bias"}


def test_section_5_2_of_the_i2i_paper_a_resnet_34_without_dilation_from_a_file(tmp_path: Path) -> None:
    """Output stride 32, 7x7 positions for 224x224 images; timm's and torchvision's ResNets have the same names."""
    torchvision_compat.import_ready()
    import timm

    whole = timm.create_model("resnet34").state_dict()
    safetensors.torch.save_file(whole, tmp_path / "resnet34.safetensors")
    encoder = smp.build("resnet34", output_stride=32, weights=str(tmp_path / "resnet34.safetensors")).eval()
    assert encoder.strides == (1, 2, 4, 8, 16, 32)
    assert encoder(torch.zeros(1, 3, 224, 224))[-1].shape == (1, 512, 7, 7)
    loaded = encoder.encoder.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in whole.items() if not name.startswith("fc."))
    # torchvision's count of ResNet-34 without its classifier of 1,000 classes.
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 21_797_672 - 513_000
