"""What the variables of launchers mean: alone, one of several, or something that cannot be."""

import os

import pytest

from segda.engine import launcher
from segda.engine.launcher import SharedError
from segda.errors import ConfigError

MEET = {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}
TORCHRUN = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", **MEET}
OPEN_MPI = {
    "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}  # fmt: skip
SLURM = {"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_LOCALID": "0", "SLURM_GTIDS": "2,3", "SLURM_STEP_ID": "0"}
NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what `join` sets is unset afterwards."""
    others = [name for row in launcher.OTHERS for name in row[1:] if name]
    for name in (*NAMES, *MEET, *others, "SLURM_STEP_ID", "SLURM_GTIDS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def joined(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], processes: int = 1) -> dict[str, str]:
    """What torch's variables are afterwards."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    launcher.join(processes)
    return {name: os.environ[name] for name in NAMES if name in os.environ}


@pytest.mark.parametrize("variables", [
    {},
    {"WORLD_SIZE": "1"},
    {"SLURM_NTASKS": "4"},  # the shell of an allocation
    {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"},  # srun --pty
    {"SLURM_PROCID": "0"},  # a job's script, without --ntasks
    {"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_ID": "0"},  # srun -n 1
    {"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"},
    MEET,
])  # fmt: skip
def test_alone(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    assert joined(monkeypatch, variables) == {name: variables[name] for name in NAMES if name in variables}
    assert "OMP_NUM_THREADS" not in os.environ


def test_the_variables_of_torchrun_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    assert joined(monkeypatch, TORCHRUN) == {name: TORCHRUN[name] for name in NAMES}
    assert joined(monkeypatch, SLURM | {"SLURM_NTASKS": "2", "SLURM_PROCID": "1"}) == {n: TORCHRUN[n] for n in NAMES}


def test_a_group_of_one_that_has_nowhere_to_meet_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers leave it; Accelerate would wait for a group where LOCAL_RANK is set."""
    alone = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}
    assert joined(monkeypatch, alone) == {"WORLD_SIZE": "1", "RANK": "0"}
    assert joined(monkeypatch, alone | MEET) == alone


@pytest.mark.parametrize(("variables", "expected"), [(OPEN_MPI, "3 4 1 2"), (SLURM, "2 4 0 2")])
def test_tasks_that_know_where_to_meet(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(launcher.workers, "available", lambda: 12)
    assert joined(monkeypatch, variables | MEET) == dict(zip(NAMES, expected.split(), strict=True))
    assert os.environ["OMP_NUM_THREADS"] == "6"


def test_threads_that_were_asked_for_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    joined(monkeypatch, OPEN_MPI | MEET | {"OMP_NUM_THREADS": "3"})
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_an_inner_launcher_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mpirun` starts its own helpers as tasks of SLURM, one a machine."""
    helpers = {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_STEP_ID": "0", "SLURM_LOCALID": "0"}
    assert joined(monkeypatch, OPEN_MPI | helpers | MEET)["RANK"] == "3"


@pytest.mark.parametrize("row", launcher.OTHERS, ids=lambda row: row.name)
def test_tasks_of_every_launcher_that_do_not_are_refused(
    monkeypatch: pytest.MonkeyPatch, row: launcher.Launcher
) -> None:
    said = (
        rf"{row.name} started 2 processes \({row.world}\), but this one knows of no other; export MASTER_ADDR .* and "
        rf"MASTER_PORT .*, start them by torchrun or --processes 2, or unset {row.rank} where"
    )
    with pytest.raises(ConfigError, match=said):
        joined(monkeypatch, {row.world: "2", row.rank: "0"})
    with pytest.raises(SharedError, match=f"process 1: {said}"):  # one line is enough, but a lone process says it, too
        joined(monkeypatch, {row.rank: "1"})
    assert not any(name in os.environ for name in NAMES)


def test_a_jobs_script_may_start_processes_and_a_task_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    script = {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}
    assert joined(monkeypatch, script, processes=2) == {}
    launcher.join(None)  # a command that starts none
    with pytest.raises(ConfigError, match="started 4 processes .* knows of no other"):
        launcher.join(1)
    with pytest.raises(ConfigError, match=r"SLURM started 4 processes \(SLURM_NTASKS\), but 2 work together"):
        joined(monkeypatch, script | {"SLURM_STEP_ID": "0"}, processes=2)
    with pytest.raises(SharedError, match="process 1: SLURM started 4 processes"):
        joined(monkeypatch, TORCHRUN)
    monkeypatch.delenv("SLURM_STEP_ID")
    assert joined(monkeypatch, TORCHRUN)["WORLD_SIZE"] == "2"


def test_processes_must_be_those_of_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    first = TORCHRUN | {"RANK": "0", "LOCAL_RANK": "0"}
    assert joined(monkeypatch, first, processes=2)["WORLD_SIZE"] == "2"
    with pytest.raises(ConfigError, match=r"--processes: 3, but torchrun started 2 processes \(WORLD_SIZE\); leave"):
        launcher.join(3)


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in TORCHRUN.items() if name not in names}


@pytest.mark.parametrize(("variables", "message"), [
    ({"RANK": "0"}, "WORLD_SIZE: not set, but RANK is '0'; .*unset RANK where this process is alone"),
    ({"LOCAL_RANK": "0"}, "WORLD_SIZE: not set, but LOCAL_RANK is '0'"),
    ({"WORLD_SIZE": "2"}, "RANK: not set, but WORLD_SIZE is '2'"),
    (without("RANK"), "RANK: not set, but WORLD_SIZE is '2'"),
    (without("LOCAL_RANK"), "LOCAL_RANK: not set, but WORLD_SIZE is '2'"),
    (without("MASTER_ADDR"), "MASTER_ADDR: not set"),
    (without("MASTER_PORT"), "MASTER_PORT: not set"),
    (TORCHRUN | {"RANK": "2"}, "RANK: 2 of WORLD_SIZE 2; expected 0 to 1"),
    (TORCHRUN | {"RANK": "-1"}, "RANK: -1 of WORLD_SIZE 2; expected 0 to 1"),
    (TORCHRUN | {"LOCAL_WORLD_SIZE": "1"}, "LOCAL_RANK: 1 of LOCAL_WORLD_SIZE 1; expected 0 to 0"),
    (TORCHRUN | {"WORLD_SIZE": "two"}, "WORLD_SIZE: 'two'; expected a whole number"),
    (OPEN_MPI | MEET | {"OMPI_COMM_WORLD_RANK": "4"}, "OMPI_COMM_WORLD_RANK: 4 of OMPI_COMM_WORLD_SIZE 4; expected 0"),
    (MEET | {"ACCELERATE_MIXED_PRECISION": "no"}, "accelerate launch was asked for several .* --multi_gpu"),
])  # fmt: skip
def test_variables_that_cannot_be(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        joined(monkeypatch, variables)
