"""The flags of deterministic kernels: set during a run and restored afterwards."""

import os
from pathlib import Path

import pytest
import torch

from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from segda.engine.determinism import WORKSPACE_VARIABLE, deterministic
from segda.engine.session import Session
from segda.errors import TrainingError


def flags() -> tuple[object, ...]:
    library = torch.backends.cudnn
    return (
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(),
        library.deterministic, library.benchmark, os.environ.get(WORKSPACE_VARIABLE),
    )  # fmt: skip


@pytest.mark.promise("deterministic")
@pytest.mark.parametrize("workspace", [None, ":16:8"])
def test_flags_are_set_and_restored(monkeypatch: pytest.MonkeyPatch, workspace: str | None) -> None:
    monkeypatch.delenv(WORKSPACE_VARIABLE, raising=False)
    if workspace:
        monkeypatch.setenv(WORKSPACE_VARIABLE, workspace)
    monkeypatch.setattr("torch.backends.cudnn.benchmark", True)
    before = flags()
    with deterministic(True):
        assert flags() == (True, False, True, False, workspace or ":4096:8")
    assert flags() == before
    with pytest.raises(KeyError), deterministic(True):
        raise KeyError
    assert flags() == before
    with deterministic(False):
        assert flags() == before


def test_a_kernel_that_there_is_none_of_is_one_line() -> None:
    refusal = "reflection_pad2d_backward_cuda does not have a deterministic implementation, but you set\n'torch.use_…"
    with pytest.raises(TrainingError) as caught, deterministic(True):
        raise RuntimeError(refusal)
    assert str(caught.value).startswith("runtime.deterministic: reflection_pad2d_backward_cuda has no")
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="something else"), deterministic(True):
        raise RuntimeError("something else")


@pytest.mark.promise("deterministic")
@pytest.mark.parametrize("deterministic", [True, False])
def test_the_command_sets_them_before_cuda_starts_and_restores_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deterministic: bool
) -> None:
    """The session is the first to use the device."""
    monkeypatch.delenv(WORKSPACE_VARIABLE, raising=False)
    seen = []
    monkeypatch.setattr(Session, "__init__", lambda self, *arguments: seen.append(flags()))
    for method in ("summary", "print", "close"):
        monkeypatch.setattr(Session, method, lambda self, *arguments: None)
    monkeypatch.setattr("pipelines.running.execution.run_planned", lambda *arguments: seen.append(flags()))
    before = flags()
    words = ["run", "moons", "--cpu", "--runs", str(tmp_path)]
    assert main([*words, "--set", "runtime.deterministic=true"] if deterministic else words) == 0
    assert [each[0] for each in seen] == [deterministic, deterministic]
    assert seen[0][4] == (":4096:8" if deterministic else None)
    assert flags() == before


def test_it_is_no_part_of_a_key(tmp_path: Path) -> None:
    from pipelines.planning import plan
    from segda.artefacts.store import Store

    keys = [
        [planned.key for planned in plan.make_plan(pipelines.load("moons", settings), Store(tmp_path))]
        for settings in ([], ["runtime.deterministic=true"])
    ]
    assert keys[0] == keys[1]
