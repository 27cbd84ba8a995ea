"""Lack of memory at any moment: one line with stage and remedy, nothing lost, equal results afterwards."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pipelines.__main__ import main
from pipelines.definition.pipeline import Stage
from pipelines.running import execution
from segda.artefacts import manifest as manifests
from segda.data import loader
from segda.engine import checkpoint
from tests.cli.conftest import Refused
from tests.pipelines import tiny
from tests.resources.beside import Beside
from tests.resources.full_disk import check_whole, published

SOURCE = ["job.yaml", "--only", "source"]


ATEN = torch.ops.aten
# They take no memory, so none can lack; and torch does not pass on what is raised in them: `torch.asarray`, by which
# files of tensors are opened, tells of a wrong shape, and `load_state_dict` of an exception without words.
FREE = {ATEN.set_.source_Storage, ATEN.select.int, ATEN._local_scalar_dense.default, ATEN.copy_.default}


class Lack(TorchDispatchMode):
    """Lets so many of torch's operations pass, then answers one as a machine without memory does."""

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


def within(lacks: Callable[[str], Lack], run_stage: Callable[..., None] = execution._run_stage) -> Callable[..., None]:
    def run(stage: Stage, *others: Any) -> None:
        with lacks(stage.name):
            run_stage(stage, *others)

    return run


ERRORS = (
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of …"),
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError,
)


def run_without_memory(words: list[str], most: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run until it ends well, each stage with ever more operations before memory lacks; the stages at which it did."""
    random, runs, finished, at, passing = Random(0), Path("starved"), set[str](), [], Counter[str]()

    def lack(stage: str) -> Lack:
        passing[stage] += random.randint(1, most)
        return Lack(passing[stage], ERRORS[len(at) % len(ERRORS)]())

    while True:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(execution, "_run_stage", within(lack))
            code = main([*words, "--runs", str(runs)])
        shown = capsys.readouterr()
        if code == 0:
            break
        assert code == 2, shown.err
        (line,) = shown.err.splitlines()
        assert line.startswith("error: stages."), line
        assert ": memory does not suffice (" in line
        assert "then run the same command again" in line
        at.append(line.split(":")[1].removeprefix(" stages."))
        before, finished = finished, check_whole(runs)
        assert before <= finished, "nothing is lost"
        assert len(at) < 300
    assert shown.err == ""
    return at


def test_at_any_moment_of_a_small_job(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job.yaml"]) == 0
    capsys.readouterr()
    at = run_without_memory(["job.yaml"], 1000, capsys)
    assert published(Path("starved")) == published(Path("runs"))
    assert len(at) >= 5
    assert {"source", "translate"} <= set(at), at


@pytest.mark.slow
def test_at_any_moment_of_the_tiny_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    job = tiny.write(tmp_path)
    tiny.run(job, tmp_path / "runs")
    capsys.readouterr()
    at = run_without_memory([str(job)], 400, capsys)
    assert published(Path("starved")) == published(Path("runs"))
    assert {"source", "translate", "adapted", "feature", "both", "oracle", "evaluate", "report"} <= set(at), at


def test_a_checkpoint_that_lacks_memory_leaves_the_one_before(
    data: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its copies of all tensors are what does not fit."""
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
    size = ["--set", "stages.source.crop=[256,512]", "--set", "stages.source.batch=8"]

    def limited(*more: str) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + (150 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        os._exit(main([*SOURCE, *size, *more]))

    assert main([*SOURCE, *size, "--runs", "undisturbed"]) == 0
    with Beside(limited) as process:
        assert process.wait() == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert "stages.source: memory does not suffice (" in lines[0]
    assert "now 1, at most the batch of 8" in lines[0]
    check_whole(Path("runs"))
    with Beside(lambda: limited("--set", "runtime.fit_memory=true", "--runs", "fitted")) as process:
        assert process.wait() == 0
    (folder,) = Path("fitted").glob("supervise-*")
    assert manifests.load(folder).metrics["accumulate"] > 1
    assert main([*SOURCE, *size]) == 0
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
def test_one_of_two_processes(data: Path) -> None:
    """Its error is told once; with runtime.fit_memory both take what the one needs."""
    Path("greedy").mkdir()
    Path("greedy/__init__.py").touch()
    Path("greedy/encoder.py").write_text(GREEDY)
    words = [*SOURCE, "--plugin", "greedy", "--processes", "2"]
    words += ["--set", "stages.source.networks.encoder={name: greedy.encoder}"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        root = Path(__file__).parents[2]
        return subprocess.run(
            [sys.executable, "-m", "pipelines", "run", *words, *more], capture_output=True, text=True, timeout=300,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{root}:{Path.cwd()}"}, check=False,
        )  # fmt: skip

    ended = run()
    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "stages.source: memory does not suffice (DefaultCPUAllocator" in line
    ended = run("--set", "runtime.fit_memory=true")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("fits memory with accumulate 2 (configured was 1), 1 samples at a time") == 1
    (folder,) = Path("runs").glob("supervise-*")
    assert json.loads((folder / "manifest.json").read_text())["metrics"]["accumulate"] == 2
