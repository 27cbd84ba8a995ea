"""Training health of whole stages: what the manifest and the report show, and what stops a run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.definition.schema import RuntimeConfig
from pipelines.training import batches
from segda.batch import Batch
from segda.engine.health import Limits
from tests.pipelines import tiny

STOP = ["runtime.on_bad_health=stop", "runtime.health={lines: 3, saturated: 0.9}"]
BAD = 2


def log(runs: Path, stage: str) -> list[dict[str, object]]:
    lines = (tiny.folder(runs, stage) / "log.jsonl").read_text().splitlines()
    times = ("seconds", "waiting")
    return [{name: value for name, value in json.loads(line).items() if name not in times} for line in lines]


@pytest.mark.parametrize("stage", tiny.TRAINING)
def test_the_manifest_says_how_the_training_went(finished: Path, stage: str) -> None:
    assert tiny.manifest(finished, stage).metrics == {"steps": 5, "health": {"troubles": []}}
    assert all(line["gradients"] for line in log(finished, stage))


@pytest.mark.promise("report-health")
def test_the_report_says_how_the_trainings_went(finished: Path) -> None:
    page = (tiny.folder(finished, "report") / "report.html").read_text()
    assert page.count("No trouble up to step 5, in 3 lines of the log.") >= 3


def test_how_a_training_is_watched_is_no_change(job: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [word for setting in STOP for word in ("--set", setting)]
    assert main(["run", str(job), "--plan", "--runs", str(finished), *settings]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all("done" in line for line in lines if line.split(" ")[0] in tiny.STAGES)


@pytest.mark.parametrize(
    "wrong",
    [
        "runtime.on_bad_health=ignore",
        "runtime.on_bad_health=roll_back",
        "runtime.health.lines=0",
        "runtime.health.patience=3",
    ],
)
def test_a_wrong_setting_is_one_line(job: Path, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(job), "--plan", "--set", wrong]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert wrong.split("=")[0] in message


def test_limits_in_a_manifest_of_version_0_1_are_understood() -> None:
    old = {"lines": 5, "too_sure": 0.9, "deluded": 0.2, "roll_backs": 3}
    runtime = RuntimeConfig.model_validate({"health": old})
    assert runtime.health == Limits(lines=5, saturated=0.9, collapsed=0.2)
    assert RuntimeConfig.model_validate(runtime.model_dump()) == runtime


@pytest.fixture
def bad_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the batches has a NaN pixel."""
    whole = batches.micro_batches

    def one_bad(*arguments: Any, start: int, **options: Any) -> Iterator[Batch]:
        for number, batch in enumerate(whole(*arguments, start=start, **options), start):
            if number == BAD:
                batch.source.image[0, 0, 0, 0] = float("nan")
            yield batch

    monkeypatch.setattr(batches, "micro_batches", one_bad)


@pytest.mark.promise("non-finite-is-an-error")
@pytest.mark.usefixtures("bad_batch")
def test_by_default_a_loss_that_is_not_finite_is_an_error(
    job: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tiny.without(finished, tmp_path / "runs", "source")
    assert main(["run", str(job), "--runs", str(runs), "--only", "source"]) == 2
    assert "step 2: the loss generator.classification became nan on" in capsys.readouterr().err
    last = log(runs, "source")[-1]
    assert last["step"] == 4
    assert "became nan" in str(last["health"])
