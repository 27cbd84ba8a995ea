"""The soak of tools/soak.py on the tiny pipeline: no fault changes or loses a result, and it would notice one."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from pipelines import finished as finished_runs
from segda.artefacts import manifest as manifests
from segda.engine import checkpoint
from tests.pipelines import tiny
from tests.structure.source import ROOT
from tools import soak
from tools.soaking import damage, life, rounds
from tools.soaking.damage import Damage, Stage
from tools.soaking.job import FULL, INT, KILL, RENAME, SECOND, TERM, Disk, Job
from tools.soaking.rounds import Fault, Round


@pytest.fixture
def soaked(job: Path, finished: Path, tmp_path: Path) -> Job:
    """The tiny pipeline, beside the undisturbed run that other tests compare with, too."""
    life.warm(str(job), [])
    made = Job([str(job)], 1, finished, tmp_path / "runs", tmp_path / "output.txt", Disk(tmp_path, False), whole=6.0)
    made.renew()
    return made


def test_no_fault_changes_or_loses_a_result(soaked: Job) -> None:
    """Kills, signals, full disks, second runs and damaged files as they come; the long version is a tool of its own."""
    faults: list[Fault] = []
    number = 0
    while len(faults) < 4:
        made = rounds.run(soaked, number, Random(f"soak/0/{number}"))
        assert not made.problems, "\n".join(made.problems)
        faults += made.faults
        number += 1
    assert all(fault.survived and fault.equal and not fault.lost for fault in faults)
    assert len({fault.kind for fault in faults}) > 1


@pytest.mark.parametrize("kind", [KILL, RENAME, TERM, INT, FULL, SECOND])
def test_each_fault_finds_the_run_alive_and_ends_it_as_it_should(soaked: Job, kind: str) -> None:
    soaked.whole = 4.0
    for number in range(8):  # a life may be over before its fault comes
        shutil.rmtree(tiny.folder(soaked.runs, "translate"), ignore_errors=True)
        outcome = soaked.live(kind, [], Random(f"{kind}/{number}"))
        if outcome.hit or outcome.problem:
            break
    assert outcome.hit
    assert not outcome.problem
    assert outcome.life.code in {KILL: (-9,), RENAME: (-9,), SECOND: (0, -9), FULL: (2,)}.get(kind, (75, 130, -15, -2))
    made = Round(0, soaked)
    assert soaked.live("", [], Random(0)).life.code == 0
    rounds._compare(made, soaked.stages())
    assert not made.problems


def test_a_restart_that_forgets_something_is_noticed(soaked: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimizers that begin anew at a restart: such networks are others."""
    shutil.rmtree(tiny.folder(soaked.runs, "source"))
    dead = soaked.start(dies_before_rename=7)  # lock twice, key, folder, log, checkpoint, checkpoint
    assert dead.wait(300)
    assert dead.code == -signal.SIGKILL
    made = Round(0, soaked)
    made.add(RENAME, "source", "")
    monkeypatch.setattr(checkpoint, "restore_optimizer", lambda *arguments: None)
    assert soaked.live("", [], Random(0)).life.code == 0
    rounds._compare(made, soaked.stages())
    assert "results differ or are missing" in made.problems[-1]
    assert not made.faults[0].equal


def test_a_traceback_is_noticed(soaked: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("by mistake")

    monkeypatch.setattr(finished_runs, "tell", broken)
    assert soaked.live("", [], Random(0)).problem == "it shows a traceback"


def test_lost_and_changed_results_are_counted(soaked: Job) -> None:
    stages = {stage.name: stage for stage in soaked.stages()}
    made = Round(0, soaked)
    made.add(KILL, "adapted", "")
    before = rounds._untouched(list(stages.values()), {"source"})
    (stages["adapted"].folder / "images" / "00001.png").unlink()
    network = stages["pixel"].folder / "networks" / "head.safetensors"
    network.write_bytes(network.read_bytes())  # the same bytes, written again: that work was lost
    (stages["source"].folder / "networks" / "head.safetensors").unlink()  # known to be damaged
    rounds._look_for_losses(made, before)
    assert made.faults[0].lost == 2
    assert not made.faults[0].survived
    rounds._compare(made, list(stages.values()))
    assert "2 results differ or are missing, adapted/images/00001.png first" in made.problems
    assert not made.faults[0].equal


def test_a_changed_bit_has_to_be_named_unless_the_lock_file_is_gone(
    soaked: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inflicted(kind: Callable[..., Damage | None], damaged: set[str]) -> list[str]:
        made = Round(0, soaked)
        monkeypatch.setattr(damage, "inflict", kind)
        rounds._damage(made, stages, damaged, Random(1))
        return made.problems

    stages, damaged = soaked.stages(), set[str]()
    assert not inflicted(damage.result_flipped, damaged)
    damaged.clear()
    assert not inflicted(damage.lock_gone, damaged)
    assert not inflicted(damage.result_flipped, damaged)
    assert inflicted(damage.result_flipped, set()), "it is looked for, and cannot be found"


def test_every_damage_changes_what_it_says(soaked: Job) -> None:
    """One stage of each kind is stopped half-way, so that every damage finds something."""
    unfinished = tiny.folder(soaked.runs, "adapted"), tiny.folder(soaked.runs, "feature")
    for kind in damage.KINDS:
        soaked.renew()
        for folder in unfinished:
            (folder / manifests.FILE_NAME).unlink()
        done = kind(soaked.stages(), Random(1))
        assert done is not None, kind
        origin = soaked.reference / done.path.relative_to(soaked.runs)
        if done.path.exists():
            assert origin.is_dir() or not origin.exists() or origin.read_bytes() != done.path.read_bytes(), kind
        else:
            assert origin.exists() or "lock" in done.kind, kind
        found = next((stage for stage in soaked.stages() if stage.name == done.stage), None)
        assert found is None or found.folder in done.path.parents
        changed = found is not None and found.is_finished() and "manifest" not in done.kind
        if changed:
            assert found is not None
            assert manifests.damage(found.folder, manifests.load(found.folder), full=True)
            assert done.hidden == (manifests.damage(found.folder, manifests.load(found.folder)) is None)


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


@pytest.mark.slow
def test_the_tool_with_two_processes(job: Path, tmp_path: Path) -> None:
    """The long version on the tiny pipeline, started as people start it, with half of the rounds by two processes."""
    command = [sys.executable, "-m", "tools.soak", "--pipeline", str(job), "--faults", "30", "--two-processes", "0.5"]
    command += ["--markdown", str(tmp_path / "soak.md")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=3000, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = (tmp_path / "soak.md").read_text()
    assert "| 1 |" in table
    assert "| 2 |" in table
    injected, survived, equal, lost = (int(cell) for cell in table.splitlines()[-1].strip("| ").split(" | ")[-4:])
    assert injected == survived == equal >= 30
    assert lost == 0
