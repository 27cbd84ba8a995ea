"""Damaged and partial checkpoints are reported, skipped and removed; resuming with another number of processes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from segda.engine import checkpoint
from tests.distributed import conftest as distributed
from tests.float64 import double
from tests.pipelines import tiny
from tests.resume import jobs, ranks


def save(folder: Path, *steps: int) -> Path:
    for step in steps:
        checkpoint.save(folder, step, {"weight": torch.full((3,), float(step))}, {"world_size": 1})
    return folder / f"step-{steps[-1]:08d}"


def truncate(folder: Path) -> None:
    file = folder / "tensors.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def writing(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


HARMS: dict[str, Callable[[Path], object]] = {
    "truncated": truncate,
    "empty tensors": writing("tensors.safetensors", b""),
    "no tensors": lambda folder: (folder / "tensors.safetensors").unlink(),
    "no state": lambda folder: (folder / "state.json").unlink(),
    "empty state": writing("state.json", b""),
    "list": writing("state.json", b"[1, 2]"),
    "null": writing("state.json", b"null"),
    "no keys": writing("state.json", b"{}"),
    "binary": writing("state.json", b"\xff\xfe\x00{"),
}


@pytest.mark.promise("both-checkpoints-damaged")
@pytest.mark.parametrize("harm", HARMS)
def test_both_damaged_begins_anew_and_says_so(tmp_path: Path, harm: str) -> None:
    save(tmp_path, 2, 4)
    for folder in tmp_path.glob("step-*"):
        HARMS[harm](folder)
    step, tensors, plain, notes = checkpoint.load_newest(tmp_path)
    assert (step, tensors, plain) == (0, {}, {})
    assert len(notes) == 3
    assert notes[0].startswith(f"{tmp_path / 'step-00000004'}: damaged checkpoint passed over (")
    assert "\n" not in notes[0]
    assert notes[-1] == f"{tmp_path}: no whole checkpoint is left; training begins anew"


def test_a_damaged_one_of_a_later_step_is_removed(tmp_path: Path) -> None:
    """It does not count as one of the last two checkpoints, and is not reported again."""
    truncate(save(tmp_path, 2, 4))
    save(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The file of a pipeline and the runs folder of its run, killed in the last step."""
    folder = tmp_path_factory.mktemp("killed")
    file = jobs.write(folder, "segmentation", "source_only")
    jobs.run(file, folder / "runs", only="data")
    jobs.run(file, folder / "runs", only="classifier")
    assert tiny.killed(lambda: jobs.run(file, folder / "runs", only="source_only"), jobs.STEPS, ("step",))
    return file, folder / "runs"


def copied(runs: Path, folder: Path) -> Path:
    return Path(shutil.copytree(runs, folder / "runs"))


@pytest.mark.promise("both-checkpoints-damaged")
def test_a_stage_without_a_whole_checkpoint_begins_anew(
    killed: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, runs = killed
    folders = []
    for name in ("damaged", "whole"):
        again = copied(runs, tmp_path / name)
        folders.append(jobs.folder(file, again, "source_only"))
        checkpoints = sorted((folders[-1] / "checkpoints").glob("step-*"))
        assert [path.name for path in checkpoints] == ["step-00000002", "step-00000004"]
        if name == "damaged":
            HARMS["list"](checkpoints[0])
            truncate(checkpoints[1])
        capsys.readouterr()
        jobs.run(file, again, only="source_only")
        messages = [line for line in capsys.readouterr().out.splitlines() if "checkpoint" in line]
        assert len(messages) == (3 if name == "damaged" else 0)
    assert jobs.result(folders[0]) == jobs.result(folders[1])


@pytest.mark.promise("partial-checkpoint-removed")
def test_what_a_death_left_of_a_checkpoint_is_cleared_away(killed: tuple[Path, Path], tmp_path: Path) -> None:
    """Even if that step's checkpoint is not written again."""
    file, runs = killed
    again = copied(runs, tmp_path)
    checkpoints = jobs.folder(file, again, "source_only") / "checkpoints"
    (checkpoints / "step-00000004").rename(checkpoints / ".step-00000004.partial")
    jobs.run(file, again, "runtime.save_every=1000", only="source_only")
    assert [path.name for path in checkpoints.iterdir()] == ["step-00000002"]


def gentle(folder: Path) -> Path:
    """A pipeline whose steps depend on the split of a batch only through rounding."""
    file = jobs.write(folder, "segmentation", "source_only")
    content = yaml.safe_load(file.read_text())
    plain = {**distributed.stage("source_only"), "data": content["stages"]["source_only"]["data"]}
    content["stages"]["source_only"] = {**plain, "steps": 6}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


@pytest.mark.promise("other-process-count")
@double()
@pytest.mark.distributed
@pytest.mark.parametrize(("first", "then"), [(1, 2), pytest.param(2, 1, marks=pytest.mark.slow)])
def test_another_number_of_processes_goes_on_with_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], first: int, then: int
) -> None:
    """The same samples in the same order: without batch statistics the results agree up to rounding.

    In float64, sums over 4 x 32 x 32 pixels in another order differ by 1e-12 (relative), which six steps amplify.
    """
    file, runs, whole = gentle(tmp_path), tmp_path / "runs", tmp_path / "whole"
    jobs.run(file, whole)
    # The classifier's stage has one step.
    assert ranks.killed(lambda: jobs.run(file, runs), 1 + 5, ("step",), first)
    capfd.readouterr()
    assert not ranks.killed(lambda: jobs.run(file, runs), 0, (), then)
    (message,) = [line for line in capfd.readouterr().out.splitlines() if "processes" in line]
    assert f"going on with {then} processes what {first} began; statistics of batch normalisation" in message
    folders = [jobs.folder(file, root, "source_only") for root in (runs, whole)]
    for name in ("encoder", "head"):
        actual, expected = (load_file(folder / "networks" / f"{name}.safetensors") for folder in folders)
        for key, tensor in expected.items():
            torch.testing.assert_close(actual[key], tensor, rtol=1e-8, atol=1e-13)
    logs = [[json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()] for folder in folders]
    for actual, expected in zip(*logs, strict=True):
        assert actual["losses"] == pytest.approx(expected["losses"], rel=1e-8)
