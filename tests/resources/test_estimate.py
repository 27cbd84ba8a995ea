"""Estimates of memory and disk are within a factor of two of what a stage takes."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from pipelines.definition.schema import TrainingConfig
from pipelines.planning import disk as space
from pipelines.planning import plan
from pipelines.planning.disk import DiskEstimate
from pipelines.planning.memory import MemoryEstimate
from segda.artefacts.store import Store
from segda.engine.peak_memory import PeakMemory
from segda.engine.session import Local
from tests.cli.conftest import JOB, Refused
from tests.pipelines import tiny
from tests.resources.forked import Forked
from tests.resources.full_disk import Disk
from tools.bench import inputs


def sizes(job: str, runs: Path, *settings: str) -> DiskEstimate:
    loaded = pipelines.load(job, settings)
    return DiskEstimate(loaded, plan.make_plan(loaded, Store(runs)))


def measured(job: Path, runs: Path, stage: str, settings: list[str], note: Path) -> int:
    """The bytes by which a stage raises the memory of a process that has loaded everything and made a step before."""

    def work() -> None:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = status("VmRSS")
        tiny.run(job, runs, settings, [stage])
        note.write_text(str(status("VmHWM") - before))

    with Forked(work) as process:
        assert process.wait() == 0
    return int(note.read_text())


def status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


STREETS_SIZE = [
    f"stages.{stage}.networks.encoder.width={width}"
    for stage, width in (("source", 24), ("translate", 16), ("feature", 24))
] + [
    "stages.source.networks.head.width=32", "stages.feature.networks.head.width=32",
    "stages.translate.networks.discriminators.image.width=32",
    "stages.source.crop=[64,128]", "stages.translate.crop=[64,128]", "stages.feature.crop=[64,128]",
    "stages.source.batch=8", "stages.feature.batch=8",
    "stages.source.steps=2", "stages.translate.steps=2", "stages.feature.steps=2",
]  # fmt: skip


@pytest.mark.promise("memory-estimate")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "settings"),
    [("source", STREETS_SIZE), ("translate", STREETS_SIZE), ("feature", STREETS_SIZE), ("source", [])],
)
def test_memory_of_a_run(tmp_path: Path, stage: str, settings: list[str]) -> None:
    """Whole stages, as the kernel counts their process, which itself takes more than tiny networks do."""
    job, runs = tiny.write(tmp_path), tmp_path / "runs"
    tiny.run(job, runs, settings, ["streets"])
    tiny.run(job, runs, settings, ["source"])  # imports what is imported late
    if stage == "source":
        shutil.rmtree(tiny.folder(runs, "source"))
    estimate = sizes(str(job), runs, *settings)
    total = MemoryEstimate(estimate.pipeline, estimate).of(estimate.pipeline.stages[stage])
    assert total is not None
    before = status("VmRSS")
    taken = measured(job, runs, stage, settings, tmp_path / "note")
    print(f"{stage}: estimated {total >> 20} MiB, taken {(before + taken) >> 20}, of them by the stage {taken >> 20}")
    assert (before + taken) / 2 < total < 2 * (before + taken)
    if settings:
        tensors = total - before
        assert taken / 2 < tensors < 2 * taken


@pytest.mark.promise("memory-estimate")
@pytest.mark.parametrize("stage", ["source", "translate", "feature"])
def test_memory_of_a_step(tmp_path: Path, stage: str) -> None:
    """The estimate against the same step really made, with the optimizers' states and full pools in memory."""
    job, runs = tiny.write(tmp_path), tmp_path / "runs"
    size, batch = (64, 96), 2
    settings = [f"stages.{stage}.crop={list(size)}", f"stages.{stage}.batch={batch}"]
    totals = []
    for setting in ("runtime.recompute=false", "runtime.recompute=true"):
        loaded = pipelines.load(str(job), [*settings, setting])
        estimate = MemoryEstimate(loaded, DiskEstimate(loaded, plan.make_plan(loaded, Store(runs))))
        config = loaded.stages[stage].config
        assert isinstance(config, TrainingConfig)
        totals.append(estimate.training(config, size))
        with PeakMemory() as peak:
            state = estimate.assembled(config)
            images = inputs.noise(batch, size)
            for _ in range(2):
                inputs.step(state, next(images), Local())
        assert totals[-1] == pytest.approx(peak.most, rel=0.05)
    assert totals[1] < totals[0]


def test_the_highest_is_counted_not_the_sum() -> None:
    with PeakMemory() as peak:
        for _ in range(3):
            first = torch.zeros(1000)
            second = first[:10] + 1
            assert peak.live == 4040
            del first, second
    assert (peak.live, peak.most) == (0, 4040)


@pytest.mark.promise("disk-estimate")
def test_disk(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Checkpoints, networks and images of a job."""
    Path("job.yaml").write_text(JOB.replace("width: 4, blocks: 1}", "width: 16, blocks: 1}"))
    estimate = sizes("job.yaml", Path("runs"))
    needed = space.needed(estimate)
    assert set(needed) == {"source", "translate", "adapted"}
    assert main(["job.yaml"]) == 0
    stages = json.loads(Path("runs/job.lock.json").read_text())["stages"]
    for stage, size in needed.items():
        folder = Path("runs") / stages[stage]["folder"]
        taken = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert taken / 2 < size < 2 * taken, (stage, size, taken)
    assert space.needed(sizes("job.yaml", Path("runs"))) == {}
    capsys.readouterr()
    assert main(["job.yaml", "--estimate", "--force", "adapted"]) == 0
    output = capsys.readouterr().out
    (line,) = [line for line in output.splitlines() if line.startswith("adapted ") and "iB" in line]
    assert line.split()[2] in ("MiB", "GiB")
    assert "free in runs" in output


def test_what_streets_took(tmp_path: Path) -> None:
    """Bytes of a recorded run's folders, `du --apparent-size`."""
    needed = space.needed(sizes("streets", tmp_path))
    recorded = {
        "streets": 21547, "source": 17272, "translate": 62656, "adapted": 4370, "feature": 12348, "oracle": 17272
    }  # fmt: skip
    for stage, kilobytes in recorded.items():
        assert kilobytes / 2 < needed[stage] / 1024 < 2 * kilobytes, stage


@pytest.mark.promise("disk-estimate")
def test_a_disk_that_is_too_small_is_refused_beforehand(data: Path, disk: Disk, refused: Refused) -> None:
    words = ["job.yaml", "--runs", str(disk.folder / "runs")]
    disk.leave(40_000)
    line = refused(*words)
    assert line.startswith(f"error: {disk.folder / 'runs'}: about ")
    assert "KiB free; free space" in line
    assert "--ignore-space" in line
    assert not list((disk.folder / "runs").iterdir())
    assert "No space left on device" in refused(*words, "--ignore-space")
    disk.leave(32 << 20)
    assert main([*words, "--only", "source"]) == 0
