"""The start-up benchmark measures what it claims: everything is finished, and detected without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.definition import loading as pipelines
from pipelines.planning import plan as plans
from segda.artefacts.store import Store
from tests.structure import source
from tools.bench import startup

FILES = 5


def test_everything_is_finished_until_a_file_more_or_less_is_seen(tmp_path: Path) -> None:
    file, store = startup.pipeline(tmp_path, FILES), Store(tmp_path / "runs")
    startup.finish(str(file), store, FILES)

    def states() -> dict[str, str]:
        return {each.stage: each.state for each in plans.make_plan(pipelines.load(str(file)), store)}

    assert set(states().values()) == {"done"}
    assert len(list((tmp_path / "gta5/images").iterdir())) == FILES
    next(store.root.glob("export-*/images/00001.png")).unlink()
    assert [stage for stage, state in states().items() if state != "done"] == ["adapted"]
    (tmp_path / "gta5/images/00001.png").unlink()
    (tmp_path / "gta5/labels/00001.png").unlink()
    assert [stage for stage, state in states().items() if state == "done"] == ["oracle"]


@pytest.mark.promise("light-plan")
def test_a_finished_pipeline_is_recognised_without_anything_heavy(tmp_path: Path) -> None:
    words = ["run", str(startup.pipeline(tmp_path, FILES)), "--runs", str(tmp_path / "runs")]
    startup.finish(words[1], Store(tmp_path / "runs"), FILES)
    pipelines.load(words[1], remembered=True)
    code = f"""
import sys
from pipelines.__main__ import main
assert main({words!r}) == 0
assert main({[*words, "--processes", "2"]!r}) == 0
print(sorted(sys.modules.keys() & set({source.HEAVY!r})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(source.ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == "[]"
    half = len(lines) // 2
    assert lines[0] == lines[half]
    assert lines[0].startswith("[1/9] source: done, ")
    assert lines[9] == lines[half + 9] == "nothing to do"
    assert lines[-1].startswith("report: ")
