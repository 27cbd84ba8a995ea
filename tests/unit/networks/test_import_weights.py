"""Files of `torch.save`: read only by `segda import`, as tensors and nothing else."""

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pipelines.__main__ import main
from segda.errors import ConfigError
from segda.networks import import_weights
from segda.networks.pretrained import load_pretrained

TENSORS = {"0.weight": torch.arange(6.0).view(2, 3), "0.bias": torch.ones(2)}


class Evil:
    """Unpickling it creates a folder, as a stand-in for arbitrary code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.fixture(autouse=True)
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of imported files, which does not exist yet."""
    monkeypatch.setenv("SEGDA_IMPORTED", str(tmp_path / "imported"))
    return tmp_path / "imported"


def saved(path: Path, content: Any = TENSORS) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("content", [
    TENSORS, {"state_dict": TENSORS, "epoch": 7}, {"model": TENSORS}, {"model": {"state_dict": TENSORS}}
])  # fmt: skip
def test_an_imported_file_is_identified_by_its_bytes(tmp_path: Path, imported: Path, content: Any) -> None:
    if "model" in content and "state_dict" in content["model"]:
        content = {"state_dict": {"model": TENSORS}}
    file = saved(tmp_path / "net.pth", content)
    written, count, _ = import_weights.keep(file)
    assert (written.parent, count) == (imported, 2)
    assert import_weights.safetensors_of(file) == written
    moved = file.rename(tmp_path / "other name.pt")
    assert import_weights.safetensors_of(moved) == written, "named by its content"
    network = nn.Sequential(nn.Linear(3, 2))
    load_pretrained(network, str(moved))
    assert torch.equal(network[0].weight, TENSORS["0.weight"])


@pytest.mark.promise("no-pickles")
def test_a_run_does_not_open_what_was_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(tmp_path / "my net.pth")
    monkeypatch.setattr(torch, "load", lambda *arguments, **options: pytest.fail("opened"))
    with pytest.raises(ConfigError, match=r"no run opens it; .* segda import '.*my net\.pth'$") as caught:
        load_pretrained(nn.Linear(3, 2), str(file))
    assert "\n" not in str(caught.value)


def test_other_bytes_under_an_imported_name_are_not_opened(tmp_path: Path) -> None:
    file = saved(tmp_path / "net.pth")
    sibling, *_ = import_weights.keep(file, tmp_path / "net.safetensors")
    assert import_weights.safetensors_of(file) == sibling
    saved(file, {"0.weight": torch.zeros(2, 3)})
    with pytest.raises(ConfigError, match="segda import"):
        import_weights.safetensors_of(file)
    save_file(TENSORS, sibling)
    saved(file)
    with pytest.raises(ConfigError, match="segda import"):
        import_weights.safetensors_of(file)


@pytest.mark.promise("no-pickles")
def test_a_program_in_a_file_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], imported: Path) -> None:
    file = saved(tmp_path / "evil.pth", {**TENSORS, "1.weight": Evil(tmp_path / "run")})
    assert main(["import", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert f"{file}: not readable as tensors" in lines[0]
    assert not (tmp_path / "run").exists()
    assert not imported.exists()
    torch.load(file, weights_only=False)
    assert (tmp_path / "run").exists(), "the program would run without weights_only"


@pytest.mark.parametrize(("content", "reason"), [
    ([1, 2], "holds a list"),
    ({}, "holds nothing"),
    ({"epoch": 3, "model": {}}, "holds no tensor by name, but epoch, model, expected names with tensors"),
    ({3: torch.ones(1)}, "holds no tensor by name, but 3"),
    ({"a": torch.eye(2).to_sparse()}, "'a' is sparse, expected dense tensors"),
    (nn.Linear(2, 2), "not readable as tensors: holds a torch.nn.modules.linear.Linear, which only its own program"),
    ({"state_dict": TENSORS, "path": Path("x")}, "not readable as tensors: holds a pathlib"),
])  # fmt: skip
def test_anything_but_tensors_by_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any, reason: str
) -> None:
    assert main(["import", str(saved(tmp_path / "net.pth", content)), "-o", str(tmp_path / "out.safetensors")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert f"net.pth: {reason}" in lines[0]
    assert "x1b" not in lines[0], "torch colours what it says"
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and nothing more", b"\x80\x02c", b"\x00" * 100])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ConfigError, match=r"net\.pth: not readable as tensors"):
        import_weights.keep(tmp_path / "net.pth")


@pytest.mark.parametrize(("content", "reason"), [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "a pointer of Git LFS"),
    (b"<!DOCTYPE html><html>Not found</html>", "a web page"),
    (b'{"weight_map": {"conv1.weight": "model-00001-of-00002.safetensors"}}', r"\(text, such as the list of several"),
    (b"\x08\x07onnx", r"\(of another kind\)"),
])  # fmt: skip
def test_what_is_no_file_of_weights_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"net\.pth: (not readable as tensors )?{reason}") as raised:
        import_weights.keep(tmp_path / "net.pth")
    assert "weights_only" not in str(raised.value)


def test_a_program_of_torch_script_is_named(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "net.pt")
    with pytest.raises(ConfigError, match="a TorchScript program"):
        import_weights.keep(tmp_path / "net.pt")


def test_a_copy_elsewhere_is_tensors_that_a_config_may_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tied = torch.ones(4)
    file = saved(tmp_path / "net.bin", {"a": tied, "b": tied[:2].view(2)})
    assert main(["import", str(file), "-o", str(tmp_path / "w" / "net.safetensors")]) == 0
    assert str(tmp_path / "w" / "net.safetensors") in capsys.readouterr().out
    assert {name: tensor.tolist() for name, tensor in load_file(tmp_path / "w" / "net.safetensors").items()} == {
        "a": [1, 1, 1, 1],
        "b": [1, 1],
    }
    for words, reason in (
        (["import", str(file), "-o", str(tmp_path / "net.pth")], "ends in .safetensors"),
        (["import", str(tmp_path / "gone.pth")], "no such file"),
        (["import", str(tmp_path / "w" / "net.safetensors")], "is safetensors already"),
    ):
        assert main(words) == 2
        assert reason in capsys.readouterr().err


def test_the_default_folder_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGDA_IMPORTED")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert import_weights.folder() == tmp_path / "cache" / "segda" / "imported"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert import_weights.folder() == tmp_path / ".cache" / "segda" / "imported"


def test_checkpoints_of_trainers_are_opened_and_what_is_no_tensor_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "epoch": 3, "args": Namespace(lr=0.1), "best": np.float64(0.5), "optimizer": {"state": {0: torch.ones(9)}},
        "lr_schedulers": [{"last": 3}],
    }  # fmt: skip
    for wrapper in ("state_dict", "model_state_dict", "model", "net", "weights", "ema", "params_ema"):
        file = saved(tmp_path / "net.pth", {**settings, wrapper: {"model": TENSORS}})
        assert main(["import", str(file), "-o", str(tmp_path / "net.safetensors")]) == 0
        line = capsys.readouterr().out
        assert f"2 tensors of {file}: " in line
        assert "left out, no tensors: epoch, args, best, optimizer, lr_schedulers" in line
        assert load_file(tmp_path / "net.safetensors").keys() == TENSORS.keys()


def test_several_networks_keep_their_names_and_one_may_be_chosen(tmp_path: Path, imported: Path) -> None:
    average = {name: 2 * tensor for name, tensor in TENSORS.items()}
    file = saved(tmp_path / "net.pth", {"state_dict": {"model": TENSORS, "ema": average}, "n": torch.ones(1)})
    written, count, _ = import_weights.keep(file)
    assert count == 5
    assert set(load_file(written)) == {
        "n", "state_dict.model.0.weight", "state_dict.model.0.bias", "state_dict.ema.0.weight", "state_dict.ema.0.bias"
    }  # fmt: skip
    chosen, count, _ = import_weights.keep(file, tmp_path / "net.safetensors", "state_dict.ema")
    assert count == 2
    assert torch.equal(load_file(chosen)["0.weight"], average["0.weight"])
    written.unlink()
    with pytest.raises(ConfigError, match="segda import"):
        import_weights.safetensors_of(file)  # a part is not what the file itself means, though it is next to it
    with pytest.raises(ConfigError, match="--part: needs a file of its own"):
        import_weights.keep(file, None, "ema")
    with pytest.raises(ConfigError, match=r"holds nothing below 'emma\.'; valid: n, state_dict"):
        import_weights.keep(file, tmp_path / "net.safetensors", "emma")


def test_arrays_of_numpy_are_tensors(tmp_path: Path) -> None:
    file = saved(tmp_path / "net.pth", {name: tensor.numpy() for name, tensor in TENSORS.items()})
    written, count, others = import_weights.keep(file)
    assert (count, others) == (2, [])
    assert torch.equal(load_file(written)["0.weight"], TENSORS["0.weight"])
