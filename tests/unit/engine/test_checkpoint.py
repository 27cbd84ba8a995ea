"""Checkpoints: complete or absent, never wrong."""

import errno
import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from segda.engine import checkpoint
from segda.engine.session import Session
from segda.errors import ArtefactError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def save(folder: Path, *steps: int) -> None:
    for step in steps:
        checkpoint.save(folder, step, {"weight": torch.full((3,), float(step))}, {"world_size": 1})


def loaded(folder: Path) -> tuple[int, float | None, list[str]]:
    step, tensors, plain, notes = checkpoint.load_newest(folder)
    assert not tensors or plain["world_size"] == 1
    return step, tensors["weight"][0].item() if tensors else None, notes


def test_nothing_is_loaded_from_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path / "checkpoints") == (0, None, [])


@pytest.mark.promise("two-checkpoints")
def test_the_newest_is_loaded_and_two_are_kept(tmp_path: Path) -> None:
    save(tmp_path, 5, 90, 100, 1000)
    assert loaded(tmp_path) == (1000, 1000.0, [])
    assert names(tmp_path) == ["step-00000100", "step-00001000"]


def test_tensors_that_share_memory_are_kept(tmp_path: Path) -> None:
    weight = torch.arange(6.0)
    checkpoint.save(tmp_path, 1, {"a": weight, "b": weight, "part": weight.view(2, 3).T}, {})
    _, tensors, _, _ = checkpoint.load_newest(tmp_path)
    assert torch.equal(tensors["a"], tensors["b"])
    assert torch.equal(tensors["part"], weight.view(2, 3).T)


@pytest.mark.promise("two-checkpoints")
def test_an_unfinished_folder_is_not_seen(tmp_path: Path) -> None:
    save(tmp_path, 2)
    shutil.copytree(tmp_path / "step-00000002", tmp_path / ".step-00000004.partial")
    assert loaded(tmp_path) == (2, 2.0, [])
    save(tmp_path, 4)
    assert names(tmp_path) == ["step-00000002", "step-00000004"]


@pytest.mark.promise("damaged-checkpoint")
@pytest.mark.parametrize("harm", ["flip", "cut", "no tensors", "no state", "cut state"])
def test_a_damaged_one_is_passed_over_and_named(tmp_path: Path, harm: str) -> None:
    save(tmp_path, 2, 4)
    tensors, state = (tmp_path / "step-00000004" / name for name in ("tensors.safetensors", "state.json"))
    content = bytearray(tensors.read_bytes())
    if harm == "flip":
        content[-1] ^= 1
        tensors.write_bytes(content)
    elif harm == "cut":
        tensors.write_bytes(content[:-4])
    elif harm == "no tensors":
        tensors.unlink()
    elif harm == "no state":
        state.unlink()
    else:
        state.write_text(state.read_text()[:10])
    step, value, notes = loaded(tmp_path)
    assert (step, value) == (2, 2.0)
    (note,) = notes
    assert note.startswith(f"{tmp_path / 'step-00000004'}: damaged checkpoint passed over")


@pytest.mark.promise("damaged-checkpoint")
def test_any_changed_bit_is_noticed(tmp_path: Path) -> None:
    """Even if the state remains valid JSON with another step, rate or number of processes."""
    save(tmp_path, 2, 4)
    _, _, expected, _ = checkpoint.load_newest(tmp_path)
    for file in sorted((tmp_path / "step-00000004").iterdir()):
        content = file.read_bytes()
        for index in range(len(content)):
            file.write_bytes(content[:index] + bytes([content[index] ^ 1 << index % 8]) + content[index + 1 :])
            step, tensors, plain, notes = checkpoint.load_newest(tmp_path)
            assert step == 2 or plain == expected, f"{file.name}, byte {index}: {plain}"
            assert (step == 2) == bool(notes)
            assert tensors["weight"].tolist() == 3 * [float(step)]
        file.write_bytes(content)


def test_one_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    save(tmp_path, 2)
    checkpoint.save(tmp_path, 2, {"weight": torch.full((3,), 7.0)}, {"world_size": 1})
    assert loaded(tmp_path) == (2, 7.0, [])


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """No file can grow beyond `limit` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.promise("full-disk")
def test_a_disk_that_refuses_leaves_the_earlier_one(tmp_path: Path) -> None:
    save(tmp_path, 2)
    with small_files(4096), pytest.raises(ArtefactError, match=r"step-00000004: the checkpoint could not be written"):
        checkpoint.save(tmp_path, 4, {"weight": torch.zeros(4096)}, {"world_size": 1})
    assert names(tmp_path) == ["step-00000002"]
    assert loaded(tmp_path) == (2, 2.0, [])


def test_a_disk_that_is_full_when_flushing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 2)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtefactError, match="No space left on device.*earlier ones are untouched: free space"):
        save(tmp_path, 4)
    assert names(tmp_path) == ["step-00000002"]


@pytest.mark.promise("state-restored")
@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_an_optimizer_goes_on_where_it_was(kind: type[torch.optim.Optimizer]) -> None:
    def made() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        module = nn.Linear(3, 2)
        options = {"momentum": 0.9} if kind is torch.optim.SGD else {"betas": (0.5, 0.9)}
        return module, kind(module.parameters(), lr=0.1, **options)

    def steps(module: nn.Module, optimizer: torch.optim.Optimizer, numbers: range) -> None:
        for number in numbers:
            optimizer.zero_grad()
            module(torch.full((1, 3), 1.0 + number)).square().sum().backward()
            optimizer.step()

    module, optimizer = made()
    steps(module, optimizer, range(4))
    other, fresh = made()
    steps(other, fresh, range(2))
    tensors, groups = checkpoint.collect_optimizer(fresh)
    again, resumed = made()
    again.load_state_dict(other.state_dict())
    checkpoint.restore_optimizer(resumed, tensors, json.loads(json.dumps(groups)))
    steps(again, resumed, range(2, 4))
    assert torch.equal(module.weight, again.weight)


@pytest.mark.promise("state-restored")
def test_the_random_state_goes_on_where_it_was() -> None:
    session = Session(cpu=True)
    torch.manual_seed(3)
    states = checkpoint.random_state(session)
    expected = torch.rand(4)
    checkpoint.restore_random_state(states, session)
    assert torch.equal(torch.rand(4), expected)
    before = torch.get_rng_state()
    checkpoint.restore_random_state({"5.cpu": states["0.cpu"]}, session)
    assert torch.equal(torch.get_rng_state(), before)
