import os
import re
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from segda import torchvision_compat
from segda.networks.encoders import dilated_densenet


@pytest.fixture(scope="module")
def original() -> Any:
    torchvision_compat.import_ready()
    import timm

    return timm.create_model("densenet121").eval()


def test_timm_weights_load_strictly_and_unchanged(original: Any, tmp_path: Path) -> None:
    safetensors.torch.save_file(original.state_dict(), tmp_path / "densenet121.safetensors")
    encoder = dilated_densenet.build(weights=str(tmp_path / "densenet121.safetensors"))
    loaded, expected = encoder.densenet.state_dict(), original.state_dict()
    assert set(expected) - set(loaded) == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.items())


def test_torchvisions_old_names_load_too(original: Any, tmp_path: Path) -> None:
    old = {
        re.sub(r"(denselayer\d+\.)(norm|conv)([12])", r"\1\2.\3", name): tensor
        for name, tensor in original.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    safetensors.torch.save_file(old, tmp_path / "old.safetensors")
    loaded = dilated_densenet.build(weights=str(tmp_path / "old.safetensors")).densenet.state_dict()
    name = "features.denseblock4.denselayer16.conv2.weight"
    assert torch.equal(loaded[name], original.state_dict()[name])


@pytest.mark.parametrize(
    ("depth", "channels"), [(169, (3, 64, 256, 512, 1280, 1664)), (201, (3, 64, 256, 512, 1792, 1920))]
)
def test_deeper_ones_load_a_file_without_a_classifier(depth: int, channels: tuple[int, ...], tmp_path: Path) -> None:
    torchvision_compat.import_ready("timm")
    import timm

    expected = timm.create_model(f"densenet{depth}", num_classes=0).state_dict()
    assert all(name.startswith("features.") for name in expected)
    safetensors.torch.save_file(expected, tmp_path / "densenet.safetensors")
    encoder = dilated_densenet.build(depth, weights=str(tmp_path / "densenet.safetensors"))
    assert (encoder.channels, encoder.strides) == (channels, (1, 2, 4, 8, 8, 8))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in encoder.densenet.state_dict().items())


@pytest.mark.data
def test_the_local_densenet_169_loads_strictly() -> None:
    path = Path(os.environ.get("SEGDA_DATA", "")) / "weights" / "densenet169-imagenet.safetensors"
    if not path.is_file():
        pytest.skip(f"{path} is missing; set SEGDA_DATA")
    loaded = dilated_densenet.build(169, weights=str(path)).densenet.state_dict()
    content = safetensors.torch.load_file(path)
    assert set(loaded) == set(content)
    assert all(torch.equal(tensor, content[name]) for name, tensor in loaded.items())


def test_the_last_blocks_have_dilations_2_and_4() -> None:
    encoder = dilated_densenet.build()
    assert encoder.channels == (3, 64, 256, 512, 1024, 1024)
    for block, dilation in ((2, 1), (3, 2), (4, 4)):
        layers = encoder.densenet.features.get_submodule(f"denseblock{block}")
        assert {layer.conv2.dilation for layer in layers.values()} == {(dilation, dilation)}


def test_dilation_computes_the_strided_networks_features_at_more_positions(original: Any, tmp_path: Path) -> None:
    """Without average pooling, every second pixel of the dilated block 3 equals the strided network's."""
    safetensors.torch.save_file(original.state_dict(), tmp_path / "densenet121.safetensors")
    encoder = dilated_densenet.build(weights=str(tmp_path / "densenet121.safetensors")).eval()
    x = torch.randn(1, 256, 8, 8)
    with torch.no_grad():
        strided = original.features.denseblock3(x[..., ::2, ::2])
        dilated = encoder.densenet.features.denseblock3(x)[..., ::2, ::2]
    assert torch.allclose(dilated, strided, atol=1e-4 * float(strided.abs().max()))


def test_checkpointing_changes_memory_not_gradients() -> None:
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        encoder = dilated_densenet.build(degrid=False, freeze_batchnorm=True, checkpointing=checkpointing).train()
        encoder(torch.linspace(-1, 1, 3 * 32 * 32).view(1, 3, 32, 32))[-1].sum().backward()
        gradients.append(encoder.densenet.features.conv0.weight.grad)
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-5 * float(gradients[0].abs().max()))
