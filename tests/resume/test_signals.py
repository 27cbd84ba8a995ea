"""SIGTERM, SIGUSR1 and SIGINT: the current step is finished and saved, the exit code says so, and resuming is exact."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.__main__ import main
from pipelines.stages.report import samples
from segda.engine import signals
from segda.engine.session import Session
from segda.terminal.progress import ProgressLine
from tests.pipelines import tiny
from tests.resume import chain as chains
from tests.resume import jobs, ranks

STEPS = 30


def job(folder: Path, workers: int, steps: int = STEPS) -> Path:
    """A training stage that saves only on a signal and logs every seventh step."""
    file = jobs.write(folder, "segmentation", "source_only")
    text = file.read_text().replace("save_every: 2", "save_every: 1000").replace("log_every: 1", "log_every: 7")
    file.write_text(text.replace("steps: 5", f"steps: {steps}").replace("workers: 0", f"workers: {workers}"))
    return file


def until_training(runs: Path, alive: Callable[[], bool]) -> None:
    """Wait for the first lines of the log."""
    end = time.monotonic() + 120
    while time.monotonic() < end and alive():
        for log in runs.glob("supervise-*/log.jsonl"):
            long = f'"steps": {STEPS}' in (log.parent / "stage.json").read_text()
            if long and len(log.read_text().splitlines()) >= 2:
                return
        time.sleep(0.02)
    raise AssertionError("no training to interrupt")


def stopped_at(text: str, name: str, checkpoints: Path) -> int:
    """The step named in the one line, which is that of the only checkpoint."""
    lines = re.findall(rf"^stopped by {name}: .*, step (\d+) of {STEPS} is saved; the same command goes on", text, re.M)
    assert len(lines) == 1, text
    assert "Traceback" not in text
    assert [path.name for path in checkpoints.iterdir()] == [f"step-{int(lines[0]):08d}"]
    return int(lines[0])


def check_resumed(file: Path, folder: Path, world: int) -> None:
    """Finish the run, do another without interruption, and compare everything but the checkpoint."""
    for name in ("runs", "undisturbed"):
        assert not ranks.killed(lambda: jobs.run(file, folder / name), 0, (), world)  # noqa: B023
    resumed, expected = (jobs.result(jobs.folder(file, folder / n, "source_only")) for n in ("runs", "undisturbed"))
    resumed = {name: value for name, value in resumed.items() if not name.startswith("step-")}
    assert resumed == expected
    assert any(name.startswith("log") for name in resumed)


@pytest.mark.promise("signals")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGINT, signal.SIGUSR1))]
)
def test_training_saves_and_resumes_exactly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """The signal goes to the whole process group, data workers included, as from `timeout` and Ctrl-C."""
    file, runs = job(tmp_path, workers=2), tmp_path / "runs"
    child = tiny.fork(lambda: os._exit(main(["run", str(file), "--runs", str(runs)])))
    until_training(runs, lambda: os.waitpid(child, os.WNOHANG) == (0, 0))
    os.killpg(child, number)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == signals.CODES[number]
    step = stopped_at(capfd.readouterr().err, number.name, next(runs.glob("supervise-*/checkpoints")))
    assert 14 <= step < STEPS
    check_resumed(file, tmp_path, world=1)


@pytest.mark.promise("signals")
@pytest.mark.distributed
@pytest.mark.parametrize(
    ("number", "group"),
    [
        (signal.SIGUSR1, False),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in ((signal.SIGTERM, False), (signal.SIGINT, True))),
    ],
    ids=["SIGUSR1", "SIGTERM", "SIGINT"],
)  # fmt: skip
def test_a_launch_of_several_processes_passes_a_signal_on(tmp_path: Path, number: signal.Signals, group: bool) -> None:
    """SIGTERM and SIGUSR1 reach the launcher, which forwards them; Ctrl-C reaches all processes, and is forwarded."""
    file, runs = job(tmp_path, workers=0), tmp_path / "runs"
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines", "run", str(file), "--runs", str(runs), "--processes", "2"],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        until_training(runs, lambda: process.poll() is None)
        (os.killpg if group else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == signals.CODES[number], errors
    assert stopped_at(errors, number.name, next(runs.glob("supervise-*/checkpoints"))) < STEPS
    if group:
        check_resumed(file, tmp_path, world=2)


@pytest.mark.promise("signals")
def test_a_signal_to_one_process_stops_all(tmp_path: Path) -> None:
    """As other launchers may do: all processes decide together and save the same step."""
    file, runs = job(tmp_path, workers=0, steps=12), tmp_path / "runs"
    step, steps = Session.step, []

    def interrupt(session: Session, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        step(session, optimizers)
        steps.append(session.rank)
        if len(steps) == 10 and session.rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def work() -> None:
        Session.step = interrupt  # type: ignore[method-assign]
        with signals.handle_signals(patient=True), pytest.raises(signals.StoppedError):
            jobs.run(file, runs)

    assert not ranks.killed(work, 0, (), world=2)
    # One of the ten was a step of the previous stage.
    assert [path.name for path in next(runs.glob("supervise-*/checkpoints")).iterdir()] == ["step-00000009"]
    check_resumed(file, tmp_path, world=2)


@pytest.mark.promise("signals")
@pytest.mark.parametrize(
    ("kind", "pattern", "number"),
    [
        ("generate", "rendered/*/*.png", signal.SIGINT),
        ("export", "*/*.png", signal.SIGTERM),
        ("evaluate", "*.json", signal.SIGTERM),
    ],
)
def test_other_stages_stop_at_the_next_file(tmp_path: Path, kind: str, pattern: str, number: signal.Signals) -> None:
    """They stop after the first image, and do not write it again."""
    file, runs = chains.write(tmp_path), tmp_path / "runs"
    if kind != "generate":
        for before in chains.KINDS[: 3 if kind == "export" else 5]:
            if before not in ("export", "translate") or kind == "export":
                jobs.run(file, runs, only=before)
    update, images = ProgressLine.update, []

    def interrupt(line: ProgressLine, done: int, note: str = "") -> None:
        update(line, done, note)
        images.append(done)
        if len(images) == 1:
            os.kill(os.getpid(), number)

    def work() -> None:
        ProgressLine.update = interrupt  # type: ignore[method-assign]
        code = main(["run", str(file), "--runs", str(runs), "--only", kind])
        assert (code, len(images)) == (signals.CODES[number], 1)

    assert not tiny.killed(work, 0, ())
    folder = next(runs.glob(f"{kind}-*"))
    assert not (folder / "manifest.json").exists()
    times = {path: path.stat().st_mtime_ns for path in folder.glob(pattern) if path.name != "stage.json"}
    assert bool(times) == (kind != "evaluate")
    jobs.run(file, runs, only=kind)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert jobs.leftovers(folder) == []


@pytest.mark.distributed
def test_a_report_stops_between_its_parts_and_all_processes_with_it(tmp_path: Path) -> None:
    """One process makes it; the other waits, and must not take that process for dead."""
    file, runs = chains.write(tmp_path), tmp_path / "runs"
    for before in chains.KINDS[:-1]:
        jobs.run(file, runs, only=before)
    scenes = samples.scenes

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGUSR1)
        return scenes(*arguments)

    def work() -> None:
        samples.scenes = interrupted
        said = "^stopped by SIGUSR1: the report is begun anew; the same command goes on"
        with signals.handle_signals(patient=True), pytest.raises(signals.StoppedError, match=said):
            jobs.run(file, runs, only="report")

    assert not ranks.killed(work, 0, (), world=2)
    assert [path.name for path in next(runs.glob("report-*")).iterdir()] == ["stage.json"]


@pytest.mark.promise("second-signal")
def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def work() -> None:
        with signals.handle_signals():
            ready.touch()
            time.sleep(60)

    child = tiny.fork(work)
    while not ready.exists():
        time.sleep(0.01)
    for _ in range(3):  # the same request repeated, as by `timeout`
        os.kill(child, signal.SIGTERM)
        time.sleep(0.05)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    time.sleep(signals.ECHO)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


def test_without_a_signal_nothing_stops() -> None:
    with signals.handle_signals():
        signals.raise_if_stopped("never")
        assert signals.requested() == 0
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.requested() == signal.SIGINT
        with pytest.raises(signals.StoppedError, match="^stopped by SIGINT: here; the same command goes on"):
            signals.raise_if_stopped("here")
    assert signals.requested() == 0
