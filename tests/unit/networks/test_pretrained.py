from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from segda.config.lookup import module
from segda.errors import ConfigError
from segda.networks.pretrained import downloading, is_file, load_pretrained


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_a_file_of_the_same_network_is_copied_without_its_wrapper_and_classifier(tmp_path: Path) -> None:
    source = _network()
    content = {f"module.{name}": tensor for name, tensor in source.state_dict().items()}
    content["module.fc.weight"] = torch.zeros(3)
    save_file(content, tmp_path / "file.safetensors")
    network = _network()
    load_pretrained(network, str(tmp_path / "file.safetensors"))
    assert torch.equal(network[0].weight, source[0].weight)


def test_missing_unexpected_and_reshaped_tensors_are_counted_with_examples(tmp_path: Path) -> None:
    content = dict(_network().state_dict())
    del content["0.bias"]
    content["0.weight"] = torch.zeros(2, 1, 5, 5)
    content["stray"] = torch.zeros(1)
    save_file(content, tmp_path / "file.safetensors")
    network = _network()
    before = network[1].weight.clone()
    with pytest.raises(ConfigError) as caught:
        load_pretrained(network, str(tmp_path / "file.safetensors"))
    message = str(caught.value)
    assert "1 missing (0.bias), 1 unexpected (stray), 1 of another shape (0.weight)" in message
    assert str(tmp_path / "file.safetensors") in message
    assert "\n" not in message
    assert torch.equal(network[1].weight, before)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.pth: no such file"):
        load_pretrained(_network(), str(tmp_path / "absent.pth"))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"nothing like weights")
    with pytest.raises(ConfigError, match=r"broken\.safetensors: not readable"):
        load_pretrained(_network(), str(tmp_path / "broken.safetensors"))


def test_only_paths_are_files() -> None:
    assert [is_file(weights) for weights in (None, "imagenet", "a/b.pth")] == [False, False, True]


@pytest.mark.parametrize("name", ["dilated_resnet", "dilated_densenet", "smp"])
def test_a_failed_download_is_one_clear_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, with an empty download cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="weights 'imagenet' could not be downloaded") as caught:
        module("segda.networks.encoders", name).build(weights="imagenet")
    assert "\n" not in str(caught.value)
    assert "path of a file" in str(caught.value)


def test_other_errors_of_building_pass_unchanged() -> None:
    with pytest.raises(OSError, match="some file"), downloading("resnet34", "weights/resnet34.pth"):
        raise OSError("some file")
    with pytest.raises(ZeroDivisionError), downloading("resnet34", "imagenet"):
        raise ZeroDivisionError
