"""Process 1 sees new files late: the processes decide alike and wait for one another, or all end with one line."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from segda.artefacts import manifest as manifests
from tests.distributed.conftest import BEGUN, Runs, command, ended
from tests.distributed.test_two_processes import assert_equal, initial, published

pytestmark = pytest.mark.distributed

SLOW = Path(__file__).with_name("slow_view.py")
STAGES = ("streets", "export", "coral", "scores", "dann", *BEGUN)


@pytest.fixture(autouse=True)
def paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launched processes run in another folder, and stay on the CPU."""
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")


def launched(
    folder: Path, file: Path, seconds: float, patience: float, stages: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    words = command(file, Path("runs"), *(word for stage in stages for word in ("--only", stage)))[3:]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return ended([sys.executable, *launcher, str(SLOW), str(seconds), str(patience), *words], folder)


def renew(folder: Path) -> None:
    """Date everything below a folder after the start of the processes."""
    later = time.time() + 3600
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (later, later))


@pytest.mark.promise("slow-file-system")
def test_a_process_that_sees_files_late_does_what_the_others_do(file: Path, one: Runs, tmp_path: Path) -> None:
    # Networks exist, data sets have to be made; a training and an export were begun, and look new, too.
    one.copy(tmp_path / "runs", ["segmenter", "translator"])
    one.copy_begun(tmp_path / "runs", BEGUN)
    for stage in BEGUN:
        renew(tmp_path / "runs" / one.folder(stage).name)
    finished = launched(tmp_path, file, 0.5, 60, STAGES)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    waited = next(line for line in finished.stdout.splitlines() if line.startswith("process 1 had to wait for"))
    assert int(waited.split()[-2]) > 20, waited
    slow = Runs(tmp_path / "runs", finished.stdout)
    for stage in ("streets", "export", BEGUN[1]):
        assert manifests.verify(slow.folder(stage), full=True).outputs == manifests.load(one.folder(stage)).outputs
    for stage in ("coral", "dann", BEGUN[0]):
        assert_equal(published(slow, stage), published(one, stage), initial(file, stage))
    assert "going on with 2 processes what 1 began" in finished.stdout
    counts = [json.loads((runs.folder("scores") / "evaluation.json").read_text())["one"] for runs in (one, slow)]
    assert counts[0]["confusion"] == counts[1]["confusion"]


@pytest.mark.promise("slow-file-system")
@pytest.mark.slow
def test_a_process_that_never_sees_them_ends_all_with_one_line(file: Path, one: Runs, tmp_path: Path) -> None:
    """The file is the checkpoint from which training is to resume."""
    one.copy(tmp_path / "runs", ["streets"])
    one.copy_begun(tmp_path / "runs", BEGUN)
    renew(tmp_path / "runs" / one.folder(BEGUN[0]).name / "checkpoints")
    finished = launched(tmp_path, file, 1000, 1, BEGUN[:1])
    assert finished.returncode != 0
    errors = [line for line in finished.stderr.splitlines() if line.startswith(("error", "process"))]
    assert len(errors) == 1, finished.stderr
    assert "checkpoint: process 1 fails (" in errors[0]
    assert "process 0 finds [3, " in errors[0]
    assert "all processes must see the same files: wait until they do, then run the same command again" in errors[0]
