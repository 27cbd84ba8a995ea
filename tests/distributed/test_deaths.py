"""One of two processes dies during training: the job ends soon, says why once, and resumes when run again."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.distributed.conftest import command, ended

pytestmark = pytest.mark.distributed

# A term that ends process 1 at the third step, in the way that the file `how` names, and writes down when.
TERM = """
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from segda.objectives.term import Term


@dataclass(frozen=True)
class Dying(Term):
    def generator(self, p):
        folder = Path(__file__).parent
        if os.environ.get("RANK") == "1" and p.progress >= 0.5 and (folder / "how").exists():
            how = (folder / "how").read_text()
            (folder / "when").write_text(str(time.time()))
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            elif how == "aborts":
                os.abort()
            elif how == "kills the launcher":
                time.sleep(2)  # until process 0 has written its checkpoint
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)
            elif how == "raises":
                raise ZeroDivisionError("raised by the test")
            sys.exit(0 if how == "leaves" else 7)
        return p.logits("source").mean()


build = Dying
"""
PIPELINE = """
task: {name: classification, labels: moons}
runtime: {workers: 0, save_every: 1, log_every: 1, cpu: true}
stages:
  moons: {kind: generate_moons, train: 20, test: 4}
  dying:
    kind: supervise
    data: {name: points, root: {from: moons, output: source}}
    method: {base: source_only, terms: {mortal.dying: {weight: 0.1}}}
    networks: {encoder: {name: mlp, widths: [3]}, head: {name: flat, side: 1}}
    steps: 4
    batch: 4
    augment: {flip: false}
"""
# The one line, by the way of dying; the survivor prints no line or traceback.
MESSAGES = {
    "killed": r"error: process 1 was ended by SIGKILL, most likely by the system for lack of memory; use fewer",
    "aborts": r"error: process 1 was ended by SIGABRT; the same command goes on from",
    "raises": r"ZeroDivisionError: raised by the test",
    "leaves": r"error: process 1 left before the end, with sys\.exit\(0\)",
    "leaves with 7": r"error: process 1 left before the end, with sys\.exit\(7\)",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pipeline, the term, and the runs folder."""
    (tmp_path / "mortal").mkdir()
    (tmp_path / "mortal" / "__init__.py").touch()
    (tmp_path / "mortal" / "dying.py").write_text(TERM)
    (tmp_path / "dying.yaml").write_text(PIPELINE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.getcwd()}")
    return tmp_path


def died(folder: Path, words: list[str], how: str) -> subprocess.CompletedProcess[str]:
    """The run in which process 1 dies, asserted to end within a minute of that."""
    (folder / "mortal" / "how").write_text(how)
    finished = ended(words, folder)
    assert time.time() - float((folder / "mortal" / "when").read_text()) < 60
    assert finished.returncode != 0
    return finished


def own_launcher(folder: Path) -> list[str]:
    return command(folder / "dying.yaml", folder / "runs", "--plugin", "mortal", "--processes", "2")


def torchrun(folder: Path) -> list[str]:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return words + command(folder / "dying.yaml", folder / "runs", "--plugin", "mortal")[1:]


def check_that_it_resumes(folder: Path) -> None:
    """Its checkpoints are there, and one process finishes what two began."""
    checkpoints = next((folder / "runs").glob("supervise-*")) / "checkpoints"
    assert sorted(path.name for path in checkpoints.glob("step-*")) == ["step-00000001", "step-00000002"]
    (folder / "mortal" / "how").unlink()
    finished = ended(own_launcher(folder)[:-2], folder)
    assert finished.returncode == 0, finished.stderr
    assert "] dying: resume (begun, not finished)" in finished.stdout


@pytest.mark.promise("process-death")
@pytest.mark.parametrize(
    "how", ["killed", *(pytest.param(how, marks=pytest.mark.slow) for how in MESSAGES if how != "killed")]
)
def test_our_launcher_tells_once_of_a_death(folder: Path, how: str) -> None:
    finished = died(folder, own_launcher(folder), how)
    assert len(re.findall(MESSAGES[how], finished.stderr)) == 1, finished.stderr
    lines = finished.stderr.strip().splitlines()
    if how == "raises":  # not an error of segda's own classes: its traceback, and no other
        assert finished.stderr.count("Traceback") == 1
        assert lines[-2] == "ZeroDivisionError: raised by the test"
        assert lines[-1].startswith("error: a fault of segda")
    else:
        assert len(lines) == 1, finished.stderr
    if how == "killed":
        check_that_it_resumes(folder)


@pytest.mark.slow
def test_processes_end_with_their_launcher(folder: Path) -> None:
    finished = died(folder, own_launcher(folder), "kills the launcher")
    assert finished.returncode == -signal.SIGKILL
    check_that_it_resumes(folder)


@pytest.mark.promise("process-death")
@pytest.mark.parametrize(
    "how", ["raises", *(pytest.param(how, marks=pytest.mark.slow) for how in MESSAGES if how != "raises")]
)
def test_under_torchrun_the_survivor_ends_and_says_no_more_than_a_line(folder: Path, how: str) -> None:
    """The failing process prints its error itself, or torchrun says how it ended."""
    finished = died(folder, torchrun(folder), how)
    ending = {"killed": "Signal 9 (SIGKILL)", "aborts": "Signal 6 (SIGABRT)", "raises": MESSAGES[how]}.get(
        how, "exitcode"
    )
    assert ending in finished.stderr
    own, _, table = finished.stderr.partition("torch.distributed.elastic.multiprocessing.errors.ChildFailedError")
    assert table
    tracebacks = own.count("Traceback (most recent call last)") - 1  # torchrun's own, above its table
    assert tracebacks == (1 if how == "raises" else 0), finished.stderr
    assert own.count("process 0: another process has gone") <= 1
