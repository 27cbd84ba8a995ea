"""A training that an earlier commit began resumes with the present code, and its log is read.

`begun/` was written by commit 38d2ee9, stopped after step 4 of 6 with the fifth step logged; `finished/` has the
networks that it would have published. If a checkpoint can no longer be read, its format has changed, which a commit has
to name.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipelines.__main__ import main
from segda.report.charts import read_log

HERE = Path(__file__).parent
STAGE = "align-ee669aba"
# Six steps of rate 0.05. Adam divides a gradient by its own size, so an error of 1e-5 in it (sums of float32 over 30
# points and 15 units, in another order on another processor) is at most that share of a step: 6 * 0.05 * 1e-5.
ROUNDING = 3e-6


def run(runs: Path) -> Path:
    """Run the stage, or finish it; its folder."""
    assert main(["run", str(HERE / "begun.yaml"), "--cpu", "--runs", str(runs)]) == 0
    (folder,) = runs.glob("align-*")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage, trained now from its beginning."""
    return run(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def resumed(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage, begun by the earlier commit and finished now, under the key that it has now.

    Since then the stage's VERSION was raised, for other rounding, which is another key.
    """
    runs = tmp_path_factory.mktemp("begun")
    folder = shutil.copytree(HERE / "begun" / STAGE, runs / whole.name)
    now = json.loads((whole / "stage.json").read_text())
    then = json.loads((folder / "stage.json").read_text())
    (folder / "stage.json").write_text(json.dumps({**then, "key": now["key"], "version": now["version"]}))
    return run(runs)


def lines(folder: Path) -> list[str]:
    return (folder / "log.jsonl").read_text().splitlines()


def test_it_resumes_after_the_checkpoint(resumed: Path) -> None:
    """The first lines are those of the earlier commit, times included; only the steps after the checkpoint are new."""
    assert lines(resumed)[:4] == lines(HERE / "begun" / STAGE)[:4]
    assert [json.loads(line)["step"] for line in lines(resumed)] == [1, 2, 3, 4, 5, 6]
    assert lines(resumed)[4] != lines(HERE / "begun" / STAGE)[4]


def test_it_ends_with_the_earlier_networks_and_those_of_a_whole_run(resumed: Path, whole: Path) -> None:
    for name in ("encoder.safetensors", "head.safetensors"):
        finished, undisturbed = (load_file(folder / "networks" / name) for folder in (resumed, whole))
        for key, expected in load_file(HERE / "finished" / name).items():
            torch.testing.assert_close(finished[key], expected, rtol=0, atol=ROUNDING)
            torch.testing.assert_close(finished[key], undisturbed[key], rtol=0, atol=ROUNDING)


def test_its_log_is_read() -> None:
    series = read_log(HERE / "begun" / STAGE / "log.jsonl")
    assert series["generator.classification"][0] == (1, 0.6909400820732117)
    assert [step for step, _ in series["learning_rate"]] == [1, 2, 3, 4, 5]


def test_status_and_table_read_the_run(resumed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--runs", str(resumed.parent)]) == 0
    assert resumed.name in capsys.readouterr().out
    assert main(["table", str(resumed.parent), "--json"]) == 0
    assert "DANN" in capsys.readouterr().out
