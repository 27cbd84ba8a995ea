"""Two machines, as network namespaces of this one with names and mounts of their own, and a folder that they share."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.distributed.test_launchers import SMALL, bytes_of_two, trained

pytestmark = [pytest.mark.distributed, pytest.mark.slow]

__all__ = ["bytes_of_two"]  # a fixture

PORT = "29417"


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True)


@pytest.fixture
def machines() -> Iterator[list[str]]:
    """Two network namespaces, joined by a cable; the first has the address 10.77.41.1, the second 10.77.41.2."""
    names = [f"segda{os.getpid()}-{number}" for number in (1, 2)]
    ends = [f"sg{os.getpid()}{letter}" for letter in "ab"]
    try:
        for name in names:
            made = ip("netns", "add", name)
            if made.returncode:
                pytest.skip(f"network namespaces cannot be made here: {made.stderr.strip()}")
        if ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1]).returncode:
            pytest.skip("virtual network devices cannot be made here")
        for number, (name, end) in enumerate(zip(names, ends, strict=True), 1):
            assert ip("link", "set", end, "netns", name, "name", "cable").returncode == 0
            ip("-n", name, "address", "add", f"10.77.41.{number}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name in names:
            ip("netns", "delete", name)


def run(machines: list[str], folder: Path, launcher: str, *, shared: bool = True) -> list[tuple[int, str, str]]:
    """Run on both machines in `folder`, of which each has its own if it is not `shared`: exit codes, output, errors."""
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd(), "CUDA_VISIBLE_DEVICES": "",
        "GLOO_SOCKET_IFNAME": "cable",
    }  # fmt: skip
    started = []
    for number, machine in enumerate(machines):
        words = {
            "torchrun": [
                "torch.distributed.run", "--nnodes", "2", "--node_rank", str(number), "--nproc_per_node", "1",
                "--master_addr", "10.77.41.1", "--master_port", PORT,
            ],
            "accelerate": [
                "accelerate.commands.launch", "--multi_gpu", "--num_machines", "2", "--num_processes", "2",
                "--machine_rank", str(number), "--main_process_ip", "10.77.41.1", "--main_process_port", PORT,
                "--same_network",
            ],
        }[launcher]  # fmt: skip
        # `ip netns exec` gives it mounts of its own, `unshare` a name.
        own = "" if shared else f"mount -t tmpfs none {folder} && cd {folder} && "
        script = f'hostname machine{number} && {own}exec "$@"'
        command = [sys.executable, "-m", *words, "-m", "pipelines", "run", *SMALL]
        started.append(subprocess.Popen(
            ["ip", "netns", "exec", machine, "unshare", "--uts", "sh", "-c", script, "sh", *command],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ))  # fmt: skip
    ended = [process.communicate(timeout=400) for process in started]
    return [(process.returncode, *texts) for process, texts in zip(started, ended, strict=True)]


@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_two_machines_train_what_two_processes_of_one_train(
    tmp_path: Path, machines: list[str], bytes_of_two: Mapping[str, str], launcher: str
) -> None:
    first, second = run(machines, tmp_path, launcher)
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert first[1].startswith("2 processes on CPU, fp32"), first[1]
    assert "processes" not in second[1]
    assert trained(tmp_path / "runs") == bytes_of_two


def test_machines_without_a_shared_folder_are_refused_before_any_work(tmp_path: Path, machines: list[str]) -> None:
    first, second = run(machines, tmp_path, "torchrun", shared=False)
    assert first[0] != 0
    assert second[0] != 0
    errors = [line for line in (first[2] + second[2]).splitlines() if line.startswith("error")]
    assert len(errors) == 1, first[2] + second[2]
    assert errors[0].startswith(f"error: {tmp_path / 'runs'}: ")
    assert "process 1 finds nothing on machine1" in errors[0]
    assert errors[0].endswith("all machines need the same folder of runs: give one that they share with --runs")
    assert "[1/" not in first[1]
    assert list(tmp_path.iterdir()) == []
