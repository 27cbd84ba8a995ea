"""One of two processes dies in mid-training: the job ends soon, tells why once, and goes on when run again."""

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

# A term that ends process 1 at the third step, in the way that the file `how` names, and says when it did.
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
        place = Path(__file__).parent
        if os.environ.get("RANK") == "1" and p.progress >= 0.5 and (place / "how").exists():
            how = (place / "how").read_text()
            (place / "when").write_text(str(time.time()))
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
# What stands in the one line, by the way of dying; every line and traceback of the survivor is one too many.
SAID = {
    "killed": r"error: process 1 was ended by SIGKILL, most likely by the system for lack of memory; use fewer",
    "aborts": r"error: process 1 was ended by SIGABRT; the same command goes on from",
    "raises": r"ZeroDivisionError: raised by the test",
    "leaves": r"error: process 1 left before the end, with sys\.exit\(0\)",
    "leaves with 7": r"error: process 1 left before the end, with sys\.exit\(7\)",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pipeline, the term, and the runs folder."""
    (tmp_path / "mortal").mkdir()
    (tmp_path / "mortal" / "__init__.py").touch()
    (tmp_path / "mortal" / "dying.py").write_text(TERM)
    (tmp_path / "dying.yaml").write_text(PIPELINE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.getcwd()}")
    return tmp_path


def started(place: Path, words: list[str], how: str) -> subprocess.CompletedProcess[str]:
    """The run, in which process 1 dies; that it ended within a minute of that is asserted."""
    (place / "mortal" / "how").write_text(how)
    found = ended(words, place)
    assert time.time() - float((place / "mortal" / "when").read_text()) < 60
    assert found.returncode != 0
    return found


def ours(place: Path) -> list[str]:
    return command(place / "dying.yaml", place / "runs", "--plugin", "mortal", "--processes", "2")


def torchrun(place: Path) -> list[str]:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return words + command(place / "dying.yaml", place / "runs", "--plugin", "mortal")[1:]


def check_that_it_goes_on(place: Path) -> None:
    """Steps that were made are there, and one process finishes what two began."""
    checkpoints = next((place / "runs").glob("supervise-*")) / "checkpoints"
    assert sorted(path.name for path in checkpoints.glob("step-*")) == ["step-00000001", "step-00000002"]
    (place / "mortal" / "how").unlink()
    found = ended(ours(place)[:-2], place)
    assert found.returncode == 0, found.stderr
    assert "] dying: resume (begun, not finished)" in found.stdout


@pytest.mark.parametrize(
    "how", ["killed", *(pytest.param(how, marks=pytest.mark.slow) for how in SAID if how != "killed")]
)
def test_our_launcher_tells_once_of_a_death(place: Path, how: str) -> None:
    found = started(place, ours(place), how)
    assert len(re.findall(SAID[how], found.stderr)) == 1, found.stderr
    lines = found.stderr.strip().splitlines()
    if how == "raises":  # no error of ours: its traceback, and no other
        assert found.stderr.count("Traceback") == 1
        assert lines[-2] == "ZeroDivisionError: raised by the test"
        assert lines[-1].startswith("error: a fault of segda")
    else:
        assert len(lines) == 1, found.stderr
    if how == "killed":
        check_that_it_goes_on(place)


@pytest.mark.slow
def test_processes_end_with_their_launcher(place: Path) -> None:
    found = started(place, ours(place), "kills the launcher")
    assert found.returncode == -signal.SIGKILL
    check_that_it_goes_on(place)


@pytest.mark.parametrize(
    "how", ["raises", *(pytest.param(how, marks=pytest.mark.slow) for how in SAID if how != "raises")]
)
def test_under_torchrun_the_survivor_ends_and_says_no_more_than_a_line(place: Path, how: str) -> None:
    """There the failing process prints its error itself, or torchrun says how it ended."""
    found = started(place, torchrun(place), how)
    told = {"killed": "Signal 9 (SIGKILL)", "aborts": "Signal 6 (SIGABRT)", "raises": SAID[how]}.get(how, "exitcode")
    assert told in found.stderr
    own, _, table = found.stderr.partition("torch.distributed.elastic.multiprocessing.errors.ChildFailedError")
    assert table
    said = own.count("Traceback (most recent call last)") - 1  # torchrun's own, above its table
    assert said == (1 if how == "raises" else 0), found.stderr
    assert own.count("process 0: another process has gone") <= 1
