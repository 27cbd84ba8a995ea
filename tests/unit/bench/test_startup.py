"""What the benchmark of the start measures is what it says: everything finished, and seen so without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import pipeline as pipelines
from pipelines import plan as plans
from segda.artefacts.store import Store
from tests.structure import source
from tools.bench import startup

FILES = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data sets of a few files, and the finished pipeline over them."""
    folder = tmp_path_factory.mktemp("startup")
    startup.finish(str(startup.pipeline(folder, FILES)), Store(folder / "runs"), FILES)
    return folder


def test_all_of_it_is_finished_and_opens_the_files(folder: Path) -> None:
    loaded = pipelines.load(str(folder / "streets_over_files.yaml"))
    planned = {each.stage: each for each in plans.make(loaded, Store(folder / "runs"))}
    assert {each.state for each in planned.values()} == {"done"}
    assert "fingerprint" in planned["source"].inputs["data"]
    assert len(list((folder / "gta5/images").iterdir())) == FILES


def test_a_file_more_or_one_less_is_seen(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    file, store = startup.pipeline(tmp_path / "again", FILES), Store(tmp_path / "again/runs")
    startup.finish(str(file), store, FILES)

    def states() -> dict[str, str]:
        return {each.stage: each.state for each in plans.make(pipelines.load(str(file)), store)}

    next(store.root.glob("export-*/images/00001.png")).unlink()
    assert [stage for stage, state in states().items() if state != "done"] == ["adapted"]
    (tmp_path / "again/gta5/images/00001.png").unlink()
    (tmp_path / "again/gta5/labels/00001.png").unlink()
    assert [stage for stage, state in states().items() if state == "done"] == ["oracle"]


def test_a_finished_pipeline_is_recognised_without_anything_heavy(folder: Path) -> None:
    words = ["run", str(folder / "streets_over_files.yaml"), "--runs", str(folder / "runs")]
    pipelines.load(words[1], remembered=True)
    code = f"""
import sys
from pipelines.__main__ import main
assert main({words!r}) == 0
assert main({[*words, "--processes", "2"]!r}) == 0
print(sorted(sys.modules.keys() & set({source.HEAVY!r})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(source.ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == "[]"
    assert len(lines) == 18
    assert lines[0].startswith("[1/9] source: done, ")
