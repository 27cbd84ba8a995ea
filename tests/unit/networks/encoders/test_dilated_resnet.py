from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from segda import torchvision_compat
from segda.errors import ConfigError
from segda.networks import import_weights
from segda.networks.encoders import dilated_resnet


def test_blocks_3_and_4_are_dilated_and_the_paper_layers_end_it() -> None:
    encoder = dilated_resnet.build(depth=18)
    features = encoder(torch.zeros(1, 3, 64, 96))
    assert [tuple(feature.shape[1:]) for feature in features] == [
        (3, 64, 96), (64, 32, 48), (64, 16, 24), (128, 8, 12), (256, 8, 12), (512, 8, 12)
    ]  # fmt: skip
    assert encoder.resnet.layer3[1].conv1.dilation == (2, 2)
    assert encoder.resnet.layer4[1].conv1.dilation == (4, 4)
    assert [layer.dilation for layer in encoder.degrid if isinstance(layer, nn.Conv2d)] == [(2, 2), (1, 1)]


def test_bottlenecks_are_wider_and_degridding_can_be_left_out() -> None:
    encoder = dilated_resnet.build(depth=50, degrid=False)
    assert encoder.channels == (3, 64, 256, 512, 1024, 2048)
    assert not list(encoder.degrid.parameters())


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_resnet34_weights_load_from_a_file_unchanged(tmp_path: Path, suffix: str) -> None:
    torchvision_compat.import_ready()
    import timm

    original = timm.create_model("resnet34").state_dict()
    path = tmp_path / f"resnet34.{suffix}"
    if suffix == "pth":
        torch.save(original, path)
        import_weights.keep(path, path.with_suffix(".safetensors"))
    else:
        safetensors.torch.save_file(original, path)
    loaded = dilated_resnet.build(weights=str(path)).resnet.state_dict()
    assert set(original) - set(loaded) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(tensor, original[name]) for name, tensor in loaded.items())


def test_weights_of_another_depth_are_refused(tmp_path: Path) -> None:
    torchvision_compat.import_ready()
    import timm

    safetensors.torch.save_file(timm.create_model("resnet18").state_dict(), tmp_path / "small.safetensors")
    with pytest.raises(ConfigError, match=r"small\.safetensors do not fit ResNet: \d+ missing \(layer1\.2\.conv1"):
        dilated_resnet.build(depth=34, weights=str(tmp_path / "small.safetensors"))


def test_frozen_batchnorm_keeps_the_trunks_statistics_only() -> None:
    encoder = dilated_resnet.build(depth=18, freeze_batchnorm=True).train()
    trunk = encoder.resnet.bn1.running_mean.clone()
    degrid = encoder.degrid[1].running_mean.clone()
    encoder(torch.rand(2, 3, 32, 32))
    assert torch.equal(encoder.resnet.bn1.running_mean, trunk)
    assert not torch.equal(encoder.degrid[1].running_mean, degrid)
