from pathlib import Path

import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.lookup import module
from segda.networks.pretrained import downloading, is_file, load_pretrained


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def test_a_file_of_the_same_network_is_copied_whatever_wraps_it(tmp_path: Path) -> None:
    source = _network()
    content = {f"module.{name}": tensor for name, tensor in source.state_dict().items()}
    content["module.fc.weight"] = torch.zeros(3)
    torch.save({"state_dict": content, "epoch": 7}, tmp_path / "file.pth")
    network = _network()
    load_pretrained(network, str(tmp_path / "file.pth"))
    assert torch.equal(network[0].weight, source[0].weight)


def test_missing_unexpected_and_reshaped_tensors_are_counted_with_examples(tmp_path: Path) -> None:
    content = dict(_network().state_dict())
    del content["0.bias"]
    content["0.weight"] = torch.zeros(2, 1, 5, 5)
    content["stray"] = torch.zeros(1)
    torch.save(content, tmp_path / "file.pth")
    network = _network()
    before = network[1].weight.clone()
    with pytest.raises(ConfigError) as caught:
        load_pretrained(network, str(tmp_path / "file.pth"))
    message = str(caught.value)
    assert "1 missing (0.bias), 1 unexpected (stray), 1 of another shape (0.weight)" in message
    assert str(tmp_path / "file.pth") in message
    assert "\n" not in message
    assert torch.equal(network[1].weight, before)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.pth: no such file"):
        load_pretrained(_network(), str(tmp_path / "absent.pth"))


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing like weights")
    with pytest.raises(ConfigError, match=rf"{name}: not readable"):
        load_pretrained(_network(), str(tmp_path / name))


def test_a_file_that_would_run_code_is_not_unpickled(tmp_path: Path) -> None:
    torch.save(_network(), tmp_path / "module.pth")
    with pytest.raises(ConfigError, match="not readable"):
        load_pretrained(_network(), str(tmp_path / "module.pth"))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ConfigError, match="holds list"):
        load_pretrained(_network(), str(tmp_path / "list.pth"))


def test_only_paths_are_files() -> None:
    assert [is_file(weights) for weights in (None, "imagenet", "a/b.pth")] == [False, False, True]


@pytest.mark.parametrize("name", ["dilated_resnet", "dilated_densenet", "smp"])
def test_a_failed_download_is_one_clear_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, and with nothing downloaded earlier."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="weights 'imagenet' could not be downloaded") as caught:
        module("segda.networks.encoders", name).build(weights="imagenet")
    assert "\n" not in str(caught.value)
    assert "path of a file" in str(caught.value)


def test_other_errors_of_building_are_left_alone() -> None:
    with pytest.raises(OSError, match="some file"), downloading("resnet34", "weights/resnet34.pth"):
        raise OSError("some file")
    with pytest.raises(ZeroDivisionError), downloading("resnet34", "imagenet"):
        raise ZeroDivisionError
