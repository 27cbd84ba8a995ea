from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from segda.config.lookup import module
from segda.errors import ConfigError
from segda.networks import import_weights
from segda.networks.pretrained import _say, downloading, is_file, load_pretrained


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


class Whole(nn.Module):
    """What trainers save: an encoder, and what segda does not take."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _network()
        self.decoder = nn.Linear(2, 2)


def _under(prefix: str, content: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in content.items()}


@pytest.mark.parametrize("prefix", [
    "", "module.", "model.", "_orig_mod.", "backbone.", "module._orig_mod.net.", "state_dict.model.", "student.module.",
])  # fmt: skip
def test_the_encoder_of_a_whole_model_is_taken_below_any_prefix(
    prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _say.cache_clear()
    whole = Whole()
    save_file(_under(prefix, whole.state_dict()), tmp_path / "file.safetensors")
    network = _network()
    load_pretrained(network, str(tmp_path / "file.safetensors"))
    assert torch.equal(network[0].weight, whole.encoder[0].weight)
    below = f"{prefix.replace('_orig_mod.', '')}encoder."
    assert capsys.readouterr().err == (
        f"weights {tmp_path / 'file.safetensors'}: 7 tensors below '{below}' taken, left out: 2 of decoder\n"
    )


def test_what_is_beside_the_encoder_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _say.cache_clear()
    source = _network()
    content = {**source.state_dict(), "decoder.0.weight": torch.ones(1), "n_averaged": torch.ones(1)}
    save_file(_under("model.", content), tmp_path / "file.safetensors")
    network = _network()
    load_pretrained(network, str(tmp_path / "file.safetensors"))
    assert torch.equal(network[0].weight, source[0].weight)
    assert "7 tensors below 'model.' taken, left out: 1 of decoder, 1 of n_averaged" in capsys.readouterr().err


def test_wrappers_between_layers_do_not_count(tmp_path: Path) -> None:
    source = _network()
    content = {name.replace("0.", "0._checkpoint_wrapped_module."): each for name, each in source.state_dict().items()}
    save_file(_under("_fsdp_wrapped_module.", content), tmp_path / "file.safetensors")
    network = _network()
    load_pretrained(network, str(tmp_path / "file.safetensors"))
    assert torch.equal(network[0].weight, source[0].weight)


def test_a_larger_network_is_another_one(tmp_path: Path) -> None:
    larger = nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)))
    save_file(_under("net.", larger.state_dict()), tmp_path / "file.safetensors")
    with pytest.raises(ConfigError, match=r"below 'net\.' 0 missing, 2 unexpected \(0\.1\.bias, 0\.1\.weight\)"):
        load_pretrained(nn.Sequential(nn.Sequential(nn.Linear(1, 1))), str(tmp_path / "file.safetensors"))


def test_the_prefix_that_fits_best_is_named_with_what_is_wrong_below_it(tmp_path: Path) -> None:
    content = dict(_network().state_dict())
    content["0.weight"] = torch.zeros(2, 4, 3, 3)
    save_file({**_under("model.encoder.", content), "model.decoder.weight": torch.ones(1)}, tmp_path / "f.safetensors")
    with pytest.raises(ConfigError) as caught:
        load_pretrained(_network(), str(tmp_path / "f.safetensors"))
    assert (
        "below 'model.encoder.' 0 missing, 0 unexpected, 1 of another shape (0.weight), which is [2, 4, 3, 3], not "
        "[2, 1, 3, 3]"
    ) in str(caught.value)
    save_file({"a.x": torch.ones(1), "b.x": torch.ones(1)}, tmp_path / "f.safetensors")
    with pytest.raises(ConfigError, match=r"none of its 2 tensors has such a name as [a-z0-9.]+ \(1 of a, 1 of b\)"):
        load_pretrained(_network(), str(tmp_path / "f.safetensors"))


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    content = _network().state_dict()
    content["0.weight"][0] = float("nan")
    save_file(content, tmp_path / "file.safetensors")
    with pytest.raises(ConfigError, match=r"0\.weight holds values that are no finite numbers"):
        load_pretrained(_network(), str(tmp_path / "file.safetensors"))


def test_a_pointer_of_git_lfs_is_no_safetensors(tmp_path: Path) -> None:
    (tmp_path / "file.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n")
    with pytest.raises(ConfigError, match="a pointer of Git LFS"):
        load_pretrained(_network(), str(tmp_path / "file.safetensors"))


def test_two_prefixes_that_fit_are_refused_unless_they_are_equal(tmp_path: Path) -> None:
    source, average = _network(), _network()
    content = {**_under("model.", source.state_dict()), **_under("ema.", average.state_dict())}
    save_file(content, tmp_path / "file.safetensors")
    network = _network()
    with pytest.raises(ConfigError, match=r"fits below 'ema\.' and 'model\.', whose values differ; .* --part ema -o"):
        load_pretrained(network, str(tmp_path / "file.safetensors"))
    import_weights.keep(tmp_path / "file.safetensors", tmp_path / "ema.safetensors", "ema")
    load_pretrained(network, str(tmp_path / "ema.safetensors"))
    assert torch.equal(network[0].weight, average[0].weight)
    same = {name: tensor.clone() for name, tensor in source.state_dict().items()}
    save_file({**_under("model.", source.state_dict()), **_under("ema.", same)}, tmp_path / "file.safetensors")
    load_pretrained(network, str(tmp_path / "file.safetensors"))
    assert torch.equal(network[0].weight, source[0].weight)
    save_file({**source.state_dict(), **_under("ema.", average.state_dict())}, tmp_path / "file.safetensors")
    load_pretrained(network, str(tmp_path / "file.safetensors"))
    assert torch.equal(network[0].weight, source[0].weight), "names without a prefix come first"


def test_half_precision_and_missing_counts_of_batches_are_taken(tmp_path: Path) -> None:
    source = _network()
    content = {name: each.bfloat16() for name, each in source.state_dict().items() if each.is_floating_point()}
    save_file(content, tmp_path / "file.safetensors")
    network = _network()
    load_pretrained(network, str(tmp_path / "file.safetensors"))
    assert network[0].weight.dtype == torch.float32
    assert torch.equal(network[0].weight, source[0].weight.bfloat16().float())


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
