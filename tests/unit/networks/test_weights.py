from pathlib import Path

import pytest
import torch
from torch import nn

from segda.errors import ArtefactError
from segda.networks import weights


def _modules() -> dict[str, nn.Module]:
    return {"encoder.source": nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), "head": nn.Conv2d(4, 2, 1)}


def test_what_is_saved_is_loaded_bit_by_bit(tmp_path: Path) -> None:
    saved, loaded = _modules(), _modules()
    weights.save(saved, tmp_path / "networks")
    assert sorted(path.name for path in (tmp_path / "networks").iterdir()) == [
        "encoder.source.safetensors", "head.safetensors"
    ]  # fmt: skip
    weights.load(loaded, tmp_path / "networks")
    for name in saved:
        for key, tensor in saved[name].state_dict().items():
            assert torch.equal(tensor, loaded[name].state_dict()[key])


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    modules = _modules()
    weights.save(modules, tmp_path)
    first = (tmp_path / "head.safetensors").read_bytes()
    weights.save(modules, tmp_path)
    assert (tmp_path / "head.safetensors").read_bytes() == first


def test_only_the_named_networks_are_read(tmp_path: Path) -> None:
    saved, loaded = _modules(), _modules()
    weights.save(saved, tmp_path)
    before = loaded["head"].weight.clone()
    weights.load(loaded, tmp_path, ["encoder.source"])
    assert torch.equal(loaded["head"].weight, before)
    assert torch.equal(loaded["encoder.source"][0].weight, saved["encoder.source"][0].weight)


def test_tensors_that_share_memory_are_saved(tmp_path: Path) -> None:
    module = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    module[1].weight = module[0].weight
    weights.save({"tied": module}, tmp_path)
    weights.load({"tied": module}, tmp_path)


def test_a_missing_network_is_named_with_what_there_is(tmp_path: Path) -> None:
    weights.save({"head": _modules()["head"]}, tmp_path)
    with pytest.raises(ArtefactError, match=r"encoder\.source\.safetensors: no such file, the folder holds head"):
        weights.load(_modules(), tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    weights.save(_modules(), tmp_path)
    path = tmp_path / "head.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ArtefactError, match=r"head\.safetensors: damaged"):
        weights.load(_modules(), tmp_path)


def test_another_architecture_is_named_with_both_shapes(tmp_path: Path) -> None:
    weights.save(_modules(), tmp_path)
    with pytest.raises(ArtefactError, match=r"2 tensors differ.*first bias: found \(2,\), expected \(5,\)"):
        weights.load({"head": nn.Conv2d(4, 5, 1)}, tmp_path)


def test_a_network_that_was_not_built_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="builds no network 'decoder'"):
        weights.load(_modules(), tmp_path, ["decoder"])


def test_the_average_by_hand(tmp_path: Path) -> None:
    """Weights and running statistics of three networks, each a third; numbers of batches stay the network's own."""
    own, others = _modules(), [_modules(), _modules()]
    for number, modules in enumerate([own, *others]):
        with torch.no_grad():
            for module in modules.values():
                for tensor in module.state_dict().values():
                    tensor.fill_(number**2)
    folders = [tmp_path / "a", tmp_path / "b"]
    for modules, folder in zip(others, folders, strict=True):
        weights.save(modules, folder)
    weights.average(own, folders)
    for module in own.values():
        for key, tensor in module.state_dict().items():
            expected = 0.0 if key.endswith("num_batches_tracked") else 5 / 3
            torch.testing.assert_close(tensor, torch.full_like(tensor, expected))


def test_the_average_with_another_architecture_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    weights.save({"head": nn.Conv2d(4, 5, 1)}, tmp_path)
    own = {"head": _modules()["head"]}
    before = own["head"].weight.clone()
    with pytest.raises(ArtefactError, match="2 tensors differ"):
        weights.average(own, [tmp_path])
    assert torch.equal(own["head"].weight, before)
