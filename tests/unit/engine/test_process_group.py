"""The meeting of processes: on what they compute, and what is said where some do not come."""

from datetime import timedelta

import pytest
import torch
from torch.distributed import HashStore

from segda.engine import process_group
from segda.engine.process_group import EXCHANGE_TIMEOUT, form_group
from segda.errors import ConfigError


@pytest.fixture(autouse=True)
def first_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the first of two, on a machine without a GPU."""
    variables = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


class Meeting:
    """Stands in for torch's functions; the other process has said on what it computes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
        self.store, self.formed = HashStore(), {}
        self.store.set("device/1", other)
        monkeypatch.setattr(process_group, "rendezvous", lambda *_, **__: iter([(self.store, 0, 2)]))
        monkeypatch.setattr(torch.distributed, "init_process_group", self.form)

    def form(self, backend: str, **options: object) -> None:
        self.formed = {"backend": backend, **options}


def test_without_a_gpu_processes_form_a_group_on_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes, the default for exchanges on GPUs, are too short to hash an exported data set."""
    meeting = Meeting(monkeypatch, "CPU")
    assert form_group(cpu=False)
    store = meeting.store
    expected = {"backend": "gloo", "store": store, "rank": 0, "world_size": 2, "timeout": EXCHANGE_TIMEOUT}
    assert meeting.formed == expected
    assert timedelta(hours=12) == EXCHANGE_TIMEOUT


def test_a_lone_process_forms_none(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = Meeting(monkeypatch, "CPU")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not form_group(cpu=False)
    assert form_group(cpu=True)
    assert meeting.formed == {}


def test_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = Meeting(monkeypatch, "GPU")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert not form_group(cpu=False)
    assert meeting.formed["backend"] == "nccl"
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert not form_group(cpu=False), "SLURM may show each task a GPU of its own"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(ConfigError, match="2 processes on this machine, but 1 GPUs; start at most 1, or add --cpu"):
        form_group(cpu=False)


def test_a_machine_whose_gpu_is_not_found_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Meeting(monkeypatch, "GPU")
    with pytest.raises(ConfigError, match=r"process 1 has a GPU, process 0 has none; repair .* driver .*--cpu"):
        form_group(cpu=False)


def test_others_that_do_not_come_are_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch, free_port: str) -> None:
    monkeypatch.setenv("MASTER_PORT", free_port)
    monkeypatch.setattr(process_group, "JOIN_TIMEOUT", timedelta(seconds=1))
    said = rf"process 0 of 2 did not meet the others at 127\.0\.0\.1:{free_port} \(.*1/2 .*\); expected all 2 to"
    with pytest.raises(ConfigError, match=said):
        form_group(cpu=True)
    assert not torch.distributed.is_initialized()
