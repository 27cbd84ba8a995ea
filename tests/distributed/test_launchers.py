"""Every launcher gives one group of processes and the same bytes, without a GPU too; or one line is said."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.distributed

SMALL = [
    "moons", "--set", "stages.source.steps=6", "--set", "stages.dann.steps=6", "--set", "runtime.save_every=3",
    "--set", "stages.moons.train=12", "--set", "stages.moons.test=4", "--set", "stages.source.batch=4",
    "--set", "stages.dann.batch=4",
]  # fmt: skip
PYTHON = [sys.executable, "-m"]
TORCHRUN = [*PYTHON, "torch.distributed.run", "--nproc_per_node", "2", "-m"]
ACCELERATE = [*PYTHON, "accelerate.commands.launch", "--num_processes", "2", "--main_process_port", "0"]
LAUNCHES = {
    "processes": [*PYTHON, "pipelines", "run", *SMALL, "--processes", "2"],
    "torchrun": [*TORCHRUN, "pipelines", "run", *SMALL],
    "accelerate": [*ACCELERATE, "--multi_gpu", "-m", "pipelines", "run", *SMALL],
}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without one, where nobody says that the CPU is to be used."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def started(folder: Path, words: list[str], **variables: str) -> subprocess.Popen[str]:
    """One process of a launch, in a folder whose `runs` it works in."""
    pipe = subprocess.PIPE
    return subprocess.Popen(words, env=os.environ | variables, cwd=folder, stdout=pipe, stderr=pipe, text=True)


def trained(runs: Path) -> Mapping[str, str]:
    """The SHA-256 of every network and checkpoint."""
    files = sorted(runs.rglob("*.safetensors"))
    return {str(file.relative_to(runs)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def bytes_of_two(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What two processes of `--processes 2 --cpu` train."""
    folder = tmp_path_factory.mktemp("two")
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    subprocess.run([*LAUNCHES["processes"], "--cpu"], cwd=folder, env=environment, check=True)
    found = trained(folder / "runs")
    assert sum("networks/" in name for name in found) == 4
    assert sum("checkpoints/" in name for name in found) == 2
    return found


@pytest.mark.parametrize("launcher", LAUNCHES)
def test_two_processes_train_the_same_bytes_by_every_launcher(
    tmp_path: Path, bytes_of_two: Mapping[str, str], launcher: str
) -> None:
    process = started(tmp_path, LAUNCHES[launcher])
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert output.startswith("2 processes on CPU, fp32"), output
    assert output.count(" on CPU, fp32") == 1
    assert output.splitlines()[0].endswith(", 1 thread each")
    assert trained(tmp_path / "runs") == bytes_of_two
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("names", [
    ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID"),
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),
], ids=["SLURM", "Open MPI"])  # fmt: skip
def test_tasks_that_know_where_to_meet_form_a_group(
    tmp_path: Path, bytes_of_two: Mapping[str, str], names: tuple[str, str, str], free_port: str
) -> None:
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port}
    words = [*PYTHON, "pipelines", "run", *SMALL]
    tasks = [
        started(tmp_path, words, **meet, **{names[0]: "2", names[1]: str(rank), names[2]: str(rank)})
        for rank in range(2)
    ]
    outputs = [task.communicate(timeout=300) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], outputs
    assert outputs[0][0].startswith("2 processes on CPU")
    assert outputs[1][0] == ""
    assert trained(tmp_path / "runs") == bytes_of_two


def test_tasks_that_do_not_are_refused_once(tmp_path: Path) -> None:
    """Before any work; a launcher that ends all as soon as one has failed prints no second line."""
    words = [*PYTHON, "pipelines", "run", *SMALL]
    tasks = [started(tmp_path, words, SLURM_NTASKS="2", SLURM_PROCID=str(rank)) for rank in range(2)]
    _, first = tasks[0].communicate(timeout=60)
    tasks[1].terminate()
    _, second = tasks[1].communicate(timeout=60)
    assert tasks[0].returncode == 2
    assert first.startswith("error: SLURM started 2 processes (SLURM_NTASKS), but this one knows of no other; ")
    assert (len(first.splitlines()), second) == (1, "")
    assert list(tmp_path.iterdir()) == []


def test_accelerate_that_starts_one_process_for_two_is_refused(tmp_path: Path) -> None:
    process = started(tmp_path, [*ACCELERATE, "-m", "pipelines", "run", *SMALL])
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "error: accelerate launch was asked for several processes and has started one" in errors
    assert "--multi_gpu --num_processes N" in errors
    assert list(tmp_path.iterdir()) == []


def test_several_groups_where_one_was_meant_are_refused(tmp_path: Path) -> None:
    """`srun -n 2 torchrun --nproc_per_node 2`: two groups, each of which would train everything."""
    step = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"}
    process = started(tmp_path, LAUNCHES["torchrun"], **step)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    said = [line for line in errors.splitlines() if line.startswith("error")]
    assert len(said) == 1, errors
    assert said[0].startswith("error: SLURM started 4 processes (SLURM_STEP_NUM_TASKS), but 2 work together; ")
    assert list(tmp_path.iterdir()) == []


def test_the_script_of_a_job_may_start_processes_itself(tmp_path: Path, bytes_of_two: Mapping[str, str]) -> None:
    """It has a rank of SLURM's, but is none of the tasks."""
    process = started(tmp_path, LAUNCHES["processes"], SLURM_NTASKS="4", SLURM_PROCID="0")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert trained(tmp_path / "runs") == bytes_of_two
