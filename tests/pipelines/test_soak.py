"""tools/soak.py on the tiny pipeline: no fault changes or loses a result, and a planted one is noticed."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from pipelines.running import up_to_date as finished_runs
from segda.artefacts import manifest as manifests
from segda.engine import checkpoint
from tests.pipelines import tiny
from tests.structure.source import ROOT
from tools import soak
from tools.soaking import damage, life, rounds
from tools.soaking.damage import Stage
from tools.soaking.job import FAULTS, FULL, INT, KILL, RENAME, SECOND, TERM, Job
from tools.soaking.rounds import Fault, Round


@pytest.fixture
def soaked(job: Path, finished: Path, tmp_path: Path) -> Job:
    """The tiny pipeline, and a copy of the uninterrupted run."""
    life.warm(str(job), [])
    soaked = Job([str(job)], 1, finished, tmp_path / "runs", tmp_path / "output.txt", whole=4.0)
    soaked.renew()
    return soaked


@pytest.mark.promise("killed-run", "one-process-per-folder")
def test_no_fault_changes_or_loses_a_result(soaked: Job) -> None:
    """Random kills, signals, full disks, second runs and damaged files; tools/soak.py is the long version."""
    faults: list[Fault] = []
    number = 0
    while len(faults) < 4:
        current = rounds.run(soaked, number, Random(f"soak/0/{number}"))
        assert not current.problems, "\n".join(current.problems)
        faults += current.faults
        number += 1
    assert all(fault.survived and fault.equal and not fault.lost for fault in faults)
    assert len({fault.kind for fault in faults}) > 1


@pytest.mark.parametrize("kind", FAULTS[1])
def test_each_fault_comes_before_the_end_and_ends_the_run_as_it_should(soaked: Job, kind: str) -> None:
    for number in range(8):  # a run may end before its fault
        shutil.rmtree(tiny.folder(soaked.runs, "translate"), ignore_errors=True)
        disturbed = soaked.live(kind, [], Random(f"{kind}/{number}"))
        if disturbed.hit or disturbed.problem:
            break
    assert disturbed.hit
    assert not disturbed.problem
    stopped = (75, 130, -15, -2)
    codes = {KILL: (-9,), RENAME: (-9,), SECOND: (0, -9), FULL: (2,), TERM: stopped, INT: stopped}
    assert disturbed.code in codes[kind]
    assert finish(soaked).problems == []


def finish(soaked: Job, *kinds: str) -> Round:
    """Resume the run to its end and compare; the round with these faults."""
    current = Round(0, soaked)
    for kind in kinds:
        current.add(kind, "source", "")
    assert soaked.live("", [], Random(0)).code == 0
    rounds.compare(current, soaked.stages())
    return current


def test_a_restart_that_forgets_something_is_noticed(soaked: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optimizers' state, resuming ends with different networks."""
    shutil.rmtree(tiny.folder(soaked.runs, "source"))
    # Renames: lock twice, key, folder, log, checkpoint, checkpoint.
    dead = life.Life(["run", *soaked.words], soaked.runs, soaked.output, fatal=7)
    assert dead.wait(300)
    assert dead.code == -signal.SIGKILL
    monkeypatch.setattr(checkpoint, "restore_optimizer", lambda *arguments: None)
    current = finish(soaked, RENAME)
    assert "results differ or are missing" in current.problems[-1]
    assert not current.faults[0].equal


def test_a_traceback_is_noticed(soaked: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished_runs, "report_if_up_to_date", None)
    assert soaked.live("", [], Random(0)).problem == "it printed a traceback"


def test_lost_and_changed_results_are_counted(soaked: Job) -> None:
    stages = {stage.name: stage for stage in soaked.stages()}
    current = Round(0, soaked)
    current.add(KILL, "adapted", "")
    before = rounds.untouched(list(stages.values()), {"source"})
    (stages["adapted"].folder / "images" / "00001.png").unlink()
    network = stages["pixel"].folder / "networks" / "head.safetensors"
    network.write_bytes(network.read_bytes())  # the same bytes, but written again: work was lost
    (stages["source"].folder / "networks" / "head.safetensors").unlink()  # already damaged, so not counted
    rounds.count_losses(current, before)
    assert current.faults[0].lost == 2
    assert not current.faults[0].survived
    rounds.compare(current, list(stages.values()))
    assert "2 results differ or are missing, adapted/images/00001.png first" in current.problems
    assert not current.faults[0].equal


def test_a_changed_bit_has_to_be_named_also_where_the_lock_file_is_gone(
    soaked: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problems(kind: str, damaged: set[str]) -> list[str]:
        current = Round(0, soaked)
        with monkeypatch.context() as patch:
            patch.setattr(damage, "KINDS", {kind: damage.KINDS[kind]})
            rounds.damage(current, soaked.stages(), damaged, Random(1))
        return current.problems

    damaged = set[str]()
    assert not problems("lock files deleted or overwritten", damaged)
    assert not problems(damage.HIDDEN, damaged)
    monkeypatch.setattr(Job, "verify", lambda job: "")
    assert problems(damage.HIDDEN, set()), "an undetected change is a problem"


@pytest.mark.parametrize("kind", damage.KINDS)
def test_every_damage_changes_what_it_says(soaked: Job, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """An export and a training stage are unfinished, so that every kind of damage has a file."""
    monkeypatch.setattr(damage, "KINDS", {kind: damage.KINDS[kind]})
    for stage in ("adapted", "feature"):
        (tiny.folder(soaked.runs, stage) / manifests.FILE_NAME).unlink()
    done = damage.inflict(soaked.stages(), Random(1))
    assert done is not None
    origin = soaked.reference / done.path.relative_to(soaked.runs)
    if done.path.is_file() and origin.exists():
        assert origin.read_bytes() != done.path.read_bytes()
    else:
        assert done.path.exists() != origin.exists()
    damaged = next((stage for stage in soaked.stages() if stage.name == done.stage), None)
    assert damaged is None or damaged.folder in done.path.parents
    if damaged is not None and damaged.is_finished():
        manifest = manifests.load(damaged.folder)
        assert manifests.first_difference(damaged.folder, manifest, full=True)
        assert (kind == damage.HIDDEN) == (manifests.first_difference(damaged.folder, manifest) is None)


def test_a_refusal_is_one_that_asks_to_move_the_folder(tmp_path: Path) -> None:
    stage = Stage("adapted", "export", tmp_path / "export-12")
    assert stage.is_refused(f"error: {stage.folder}/manifest.json: damaged, not JSON; move its folder away")
    assert not stage.is_refused(f"error: {stage.folder}/images/1.png: cannot be written; free space")
    assert not stage.is_refused("error: other/manifest.json: damaged; move its folder away")


def test_the_table_adds_up() -> None:
    faults = [Fault("B", 1), Fault("A", 2, equal=False), Fault("B", 1, survived=False, lost=3)]
    assert soak.table(faults).splitlines()[2:] == [
        "| B | 1 | 2 | 1 | 2 | 3 |",
        "| A | 2 | 1 | 1 | 0 | 0 |",
        "| **all** |  | 3 | 2 | 2 | 3 |",
    ]


@pytest.mark.promise("two-processes-killed")
@pytest.mark.slow
def test_the_tool_with_two_processes(job: Path, tmp_path: Path) -> None:
    """The long version on the tiny pipeline, from the command line, with two processes in half of the rounds."""
    command = [sys.executable, "-m", "tools.soak", "--pipeline", str(job), "--faults", "30", "--two-processes", "0.5"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=3000, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = ended.stdout.rpartition("| fault |")[2].partition("\n\n")[0]
    assert "| 1 |" in table
    assert "| 2 |" in table
    injected, survived, equal, lost = (int(cell) for cell in table.splitlines()[-1].strip("| ").split(" | ")[-4:])
    assert injected == survived == equal >= 30
    assert lost == 0
