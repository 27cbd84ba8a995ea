"""Manifests record everything needed to reproduce their result."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.running import provenance as provenances
from pipelines.running.provenance import provenance
from segda.engine.session import Session


def test_it_names_code_packages_machine_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["segda", "run", "my job.yaml", "--set", "stages.a.data={name: x, root: y}"]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("SEGDA_SECRET", "hidden")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    record = provenance(Session(cpu=True), 1.234, 7)
    assert shlex.split(record["command"]) == words, "it can be pasted into a shell"
    assert record["environment"]["OMP_NUM_THREADS"] == "3"
    assert "SEGDA_SECRET" not in record["environment"]
    assert "CUBLAS_WORKSPACE_CONFIG" not in record["environment"]
    assert record["packages"]["torch"] == torch.__version__.split("+")[0] or record["packages"]["torch"]
    assert {"numpy", "safetensors", "timm"} <= record["packages"].keys()
    assert (record["seed"], record["seconds"], record["device"], record["world_size"]) == (7, 1.2, "cpu", 1)
    assert record["threads"] == torch.get_num_threads()
    assert record["deterministic"] is False
    assert record["cpu"]
    assert "gpu" not in record, "an unused GPU is not recorded"


def test_a_gpu_is_told_with_its_driver_and_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnGpu:
        device = torch.device("cuda", 0)

    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: f"card {device.index}")
    monkeypatch.setattr("torch.version.cuda", "12.8")
    monkeypatch.setattr(provenances, "output_of", lambda *command: "570.1" if command[0] == "nvidia-smi" else None)
    session: Any = OnGpu()
    record = provenances._gpu(session)
    assert (record["gpu"], record["driver"], record["cuda"]) == ("card 0", "570.1", "12.8")


def test_a_program_that_is_not_there_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert provenances.output_of("no-such-program-anywhere") is None
    assert provenances.output_of(sys.executable, "-c", "raise SystemExit(3)") is None
    monkeypatch.setattr(provenances, "__file__", str(tmp_path / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenances._git() == {"git": None, "dirty": None}
