"""Out of memory at any moment: one line with stage and remedy, nothing lost, equal results afterwards."""

import json
import os
import resource
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pipelines.__main__ import main
from pipelines.definition.pipeline import Stage
from pipelines.running import execution
from pipelines.training import fit_memory
from segda.artefacts import manifest as manifests
from segda.data import loader
from segda.engine import checkpoint
from tests.cli.conftest import Refused
from tests.distributed.conftest import command, ended
from tests.resources.forked import Forked
from tests.resources.full_disk import check_whole, published

SOURCE = ["job.yaml", "--only", "source"]
ATEN = torch.ops.aten
# They allocate nothing. And torch hides what is raised in them: `torch.asarray`, by which files of tensors are opened,
# reports a wrong shape, and `load_state_dict` an exception without a message.
FREE = {ATEN.set_.source_Storage, ATEN.select.int, ATEN._local_scalar_dense.default, ATEN.copy_.default}


class OutOfMemory(TorchDispatchMode):
    """Lets some of torch's operations pass, and raises an error at the next."""

    def __init__(self, passing: int, error: Exception) -> None:
        super().__init__()
        self.left, self.error = passing, error

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        empty = function is ATEN.empty.memory_format and 0 in arguments[0]
        if not (empty or function in FREE):
            self.left -= 1
            if self.left == 0:
                raise self.error
        return function(*arguments, **(options or {}))


ERRORS = (
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of …"),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError,
)


@pytest.mark.promise("out-of-memory")
def test_at_any_moment_of_a_small_job(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command until it ends well, each stage with ever more operations before it is out of memory."""
    assert main(["job.yaml"]) == 0
    capsys.readouterr()
    random, runs, finished, failed, passing = Random(0), Path("starved"), set[str](), [], Counter[str]()
    run_stage = execution._run_stage

    def starved(stage: Stage, *others: Any) -> None:
        passing[stage.name] += random.randint(1, 1000)
        with OutOfMemory(passing[stage.name], ERRORS[len(failed) % len(ERRORS)]()):
            run_stage(stage, *others)

    monkeypatch.setattr(execution, "_run_stage", starved)
    while main(["job.yaml", "--runs", str(runs)]) == 2:
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: stages."), line
        assert ": memory does not suffice (" in line
        assert "then run the same command again" in line
        failed.append(line.split(":")[1].removeprefix(" stages."))
        before, finished = finished, check_whole(runs)
        assert before <= finished, "nothing is lost"
        assert len(failed) < 300
    assert capsys.readouterr().err == ""
    assert published(runs) == published(Path("runs"))
    assert len(failed) >= 5
    assert {"source", "translate"} <= set(failed), failed


@pytest.mark.promise("out-of-memory")
def test_a_checkpoint_that_lacks_memory_leaves_the_one_before(
    data: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit are its copies of all tensors."""
    words = [*SOURCE, "--set", "stages.source.steps=3"]
    assert main([*words, "--runs", "undisturbed"]) == 0
    serialize, calls = checkpoint.serialize, [0]

    def greedy(tensors: dict[str, torch.Tensor]) -> bytes:
        calls[0] += 1
        if calls[0] == 2:
            torch.empty(1 << 60)
        return bytes(serialize(tensors))

    monkeypatch.setattr(checkpoint, "serialize", greedy)
    assert "stages.source: memory does not suffice (DefaultCPUAllocator" in refused(*words)
    (folder,) = Path("runs").glob("supervise-*")
    assert [path.name for path in folder.glob("checkpoints/*")] == ["step-00000001"]
    assert main(words) == 0
    assert published(Path("runs")) == published(Path("undisturbed"))


@pytest.mark.promise("out-of-memory")
def test_a_loader_process_that_the_kernel_kills(data: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    getitem = loader._Samples.__getitem__

    def killed(self: Any, position: int) -> Any:
        if torch.utils.data.get_worker_info() is not None and position > 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return getitem(self, position)

    with monkeypatch.context() as patch:
        patch.setattr(loader._Samples, "__getitem__", killed)
        line = refused(*SOURCE, "--workers", "1")
    assert "killed by signal: Killed" in line
    assert "runtime.workers is 1; --workers 0" in line
    assert main(SOURCE) == 0


def test_a_real_limit(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The kernel refuses memory; smaller micro-batches fit; without the limit the result is an undisturbed one."""
    # 900 MiB a step, 110 a sample: also too much where earlier tests have left free memory in this process.
    large = ("crop=[384,768]", "data.resize=[384,768]", "batch=8", "steps=1")
    settings = [f"stages.source.{setting}" for setting in large]
    words = [*SOURCE, *(word for setting in settings for word in ("--set", setting))]

    def limited(*more: str) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + fit_memory.RESERVE + (250 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        os._exit(main([*words, *more]))

    assert main([*words, "--runs", "undisturbed"]) == 0
    with Forked(limited) as process:
        assert process.wait() == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert "stages.source: memory does not suffice (" in lines[0]
    assert "now 1, at most the batch of 8" in lines[0]
    check_whole(Path("runs"))
    with Forked(lambda: limited("--set", "runtime.fit_memory=true", "--runs", "fitted")) as process:
        assert process.wait() == 0
    (folder,) = Path("fitted").glob("supervise-*")
    assert manifests.load(folder).metrics["accumulate"] > 1
    assert main(words) == 0
    assert published(Path("runs")) == published(Path("undisturbed"))


GREEDY = """
import os
import torch
from segda.networks.encoders import small


class Greedy(small.build(4, 1).__class__):
    def forward(self, image):
        if os.environ.get("RANK") == "1" and len(image) > 1:
            torch.empty(1 << 60)
        return super().forward(image)


def build():
    built = small.build(4, 1)
    built.__class__ = Greedy
    return built
"""


@pytest.mark.slow
@pytest.mark.distributed
def test_one_of_two_processes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is printed once; with runtime.fit_memory both take the micro-batches that the one needs."""
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{Path.cwd()}")
    Path("greedy").mkdir()
    Path("greedy/__init__.py").touch()
    Path("greedy/encoder.py").write_text(GREEDY)
    words = command(Path("job.yaml"), Path("runs"), "--only", "source", "--plugin", "greedy", "--processes", "2")
    words += ["--set", "stages.source.networks.encoder={name: greedy.encoder}"]
    first = ended(words, Path.cwd())
    assert first.returncode == 2, first.stderr
    (line,) = first.stderr.splitlines()
    assert "stages.source: memory does not suffice (DefaultCPUAllocator" in line
    second = ended([*words, "--set", "runtime.fit_memory=true"], Path.cwd())
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("fits memory with accumulate 2 (configured was 1), 1 samples at a time") == 1
    (folder,) = Path("runs").glob("supervise-*")
    assert json.loads((folder / "manifest.json").read_text())["metrics"]["accumulate"] == 2
