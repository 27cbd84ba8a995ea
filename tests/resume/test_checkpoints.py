"""Damaged and half-written checkpoints are told of, passed over and cleared away; other numbers of processes go on."""

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

STATE = {"world_size": 1, "optimizers": {"generator": [{"lr": 1e-05, "betas": [0.5, 0.999], "params": [0, 1]}]}}


def saved(folder: Path, *steps: int) -> Path:
    for step in steps:
        checkpoint.save(folder, step, {"weight": torch.full((3,), float(step))}, STATE)
    return folder / f"step-{steps[-1]:08d}"


def written(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda place: (place / name).write_bytes(content)


HARMS: dict[str, Callable[[Path], object]] = {
    "truncated": lambda place: (place / "tensors.safetensors").write_bytes(
        (place / "tensors.safetensors").read_bytes()[:-1]
    ),
    "empty tensors": written("tensors.safetensors", b""),
    "no tensors": lambda place: (place / "tensors.safetensors").unlink(),
    "no state": lambda place: (place / "state.json").unlink(),
    "empty state": written("state.json", b""),
    "list": written("state.json", b"[1, 2]"),
    "null": written("state.json", b"null"),
    "no keys": written("state.json", b"{}"),
    "binary": written("state.json", b"\xff\xfe\x00{"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_newest_one_is_one_line_and_the_one_before_is_used(tmp_path: Path, harm: str) -> None:
    newest = saved(tmp_path, 2, 4)
    HARMS[harm](newest)
    step, tensors, _, notes = checkpoint.load_newest(tmp_path)
    assert (step, tensors["weight"].tolist()) == (2, [2.0] * 3)
    assert len(notes) == 1
    assert notes[0].startswith(f"{newest}: damaged checkpoint passed over (")
    assert "\n" not in notes[0]


@pytest.mark.parametrize("harm", HARMS)
def test_both_damaged_begins_anew_and_says_so(tmp_path: Path, harm: str) -> None:
    saved(tmp_path, 2, 4)
    for place in tmp_path.glob("step-*"):
        HARMS[harm](place)
    step, tensors, plain, notes = checkpoint.load_newest(tmp_path)
    assert (step, tensors, plain) == (0, {}, {})
    assert len(notes) == 3
    assert notes[-1] == f"{tmp_path}: no whole checkpoint is left; training begins anew"


@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors"])
def test_any_flipped_bit_is_noticed(tmp_path: Path, name: str) -> None:
    """In either file: a learning rate that is off by a digit would go unnoticed for ever."""
    newest = saved(tmp_path, 2, 4) / name
    content, plain = newest.read_bytes(), checkpoint.read(newest.parent)[1]
    for place in range(len(content)):
        for bit in (0, 3, 5):
            newest.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            step, _, found, notes = checkpoint.load_newest(tmp_path)
            # 1e-05 and 1E-05 are one number.
            assert (step == 2 and len(notes) == 1) or found == plain, (place, bit)


def test_a_damaged_one_of_a_later_step_takes_no_place(tmp_path: Path) -> None:
    """Otherwise it would be one of the two that are kept, and be told of again and again."""
    HARMS["truncated"](saved(tmp_path, 2, 4))
    saved(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The file of a job and the runs folder that it left when it was killed in its last step."""
    folder = tmp_path_factory.mktemp("killed")
    file = jobs.write(folder, "segmentation", "source_only")
    jobs.run(file, folder / "runs", only="data")
    jobs.run(file, folder / "runs", only="classifier")
    assert tiny.killed(lambda: jobs.run(file, folder / "runs", only="source_only"), jobs.STEPS, ("step",))
    return file, folder / "runs"


def copied(runs: Path, folder: Path) -> Path:
    return Path(shutil.copytree(runs, folder / "runs"))


def test_a_stage_without_a_whole_checkpoint_begins_anew(
    killed: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, runs = killed
    places = []
    for name in ("damaged", "whole"):
        again = copied(runs, tmp_path / name)
        places.append(jobs.folder(file, again, "source_only"))
        checkpoints = sorted((places[-1] / "checkpoints").glob("step-*"))
        assert [place.name for place in checkpoints] == ["step-00000002", "step-00000004"]
        if name == "damaged":
            HARMS["list"](checkpoints[0])
            HARMS["truncated"](checkpoints[1])
        capsys.readouterr()
        jobs.run(file, again, only="source_only")
        told = [line for line in capsys.readouterr().out.splitlines() if "checkpoint" in line]
        assert len(told) == (3 if name == "damaged" else 0)
    assert jobs.result(places[0]) == jobs.result(places[1])


def test_what_a_death_left_of_a_checkpoint_is_cleared_away(killed: tuple[Path, Path], tmp_path: Path) -> None:
    """Also where no checkpoint of that step is written again."""
    file, runs = killed
    again = copied(runs, tmp_path)
    place = jobs.folder(file, again, "source_only")
    (place / "checkpoints" / "step-00000004").rename(place / "checkpoints" / ".step-00000004.partial")
    jobs.run(file, again, "runtime.save_every=1000", only="source_only")
    assert [path.name for path in (place / "checkpoints").iterdir()] == ["step-00000002"]


def gentle(folder: Path) -> Path:
    """A job whose steps do not depend on how a batch is split, but for rounding."""
    file = jobs.write(folder, "segmentation", "source_only")
    content = yaml.safe_load(file.read_text())
    plain = {**distributed.stage("source_only"), "data": content["stages"]["source_only"]["data"]}
    content["stages"]["source_only"] = {**plain, "steps": 6}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


@double()
@pytest.mark.distributed
@pytest.mark.parametrize(("first", "then"), [(1, 2), pytest.param(2, 1, marks=pytest.mark.slow)])
def test_another_number_of_processes_goes_on_with_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], first: int, then: int
) -> None:
    """The same samples in the same order: without batch statistics the result is that of either, up to rounding.

    In float64 sums over 4 x 32 x 32 pixels in another order differ by 1e-12 of them, and six steps make that larger.
    """
    file, runs, whole = gentle(tmp_path), tmp_path / "runs", tmp_path / "whole"
    jobs.run(file, whole)
    # The classifier is a step of its own.
    assert ranks.killed(lambda: jobs.run(file, runs), 1 + 5, ("step",), first)
    capfd.readouterr()
    assert not ranks.killed(lambda: jobs.run(file, runs), 0, (), then)
    told = [line for line in capfd.readouterr().out.splitlines() if "processes" in line]
    assert len(told) == 1
    assert f"going on with {then} processes what {first} began; statistics of batch normalisation" in told[0]
    places = [jobs.folder(file, where, "source_only") for where in (runs, whole)]
    for name in ("encoder", "head"):
        found, expected = (load_file(place / "networks" / f"{name}.safetensors") for place in places)
        for key, tensor in expected.items():
            torch.testing.assert_close(found[key], tensor, rtol=1e-8, atol=1e-13)
    logs = [[json.loads(line) for line in (place / "log.jsonl").read_text().splitlines()] for place in places]
    for found, expected in zip(*logs, strict=True):
        assert found["losses"] == pytest.approx(expected["losses"], rel=1e-8)
