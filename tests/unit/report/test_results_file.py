"""Results files: all that a table needs, from the runs' own manifests, and the same table from the file alone."""

import json
from pathlib import Path

import pytest

from segda.artefacts.store import Store
from segda.errors import ArtefactError
from segda.report import results_file
from tests.unit.report.scored_runs import accuracy, digits, scored_in, write_run


def test_a_run_has_pipeline_seed_scores_and_origin(tmp_path: Path) -> None:
    digits(tmp_path, seeds=2)
    (scored,) = results_file.of_run(Store(tmp_path), "digits-seed1")
    assert (scored.pipeline, scored.stage, scored.seed) == ("digits", "evaluate", 1)
    assert scored.evaluations["dann"]["scores"]["pixel_accuracy"] == pytest.approx(0.84)
    assert scored.origin["commands"] == ["segda run digits --seed 1"]
    assert scored.origin["seconds"] == {"dann": 2.5, "evaluate": 2.5}
    assert scored.origin["machine"] == {"platform": "Linux", "cpu": "a CPU", "threads": 2}
    assert scored.origin["git"] == "abc"


def test_only_the_seed_is_left_out_of_the_settings(tmp_path: Path) -> None:
    digits(tmp_path, seeds=2)
    write_run(tmp_path, "digits", 2, {"source only": accuracy(60)}, steps=8)
    settings = [results_file.of_run(Store(tmp_path), name)[0].settings for name in Store(tmp_path).runs()]
    assert settings[0] == settings[1] != settings[2]


def test_a_run_without_a_finished_evaluation_scored_nothing(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "digits", 0, {"source only": accuracy(60)})
    (folder / "manifest.json").unlink()
    assert results_file.of_run(Store(tmp_path), "digits") == []


def test_a_changed_evaluation_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "digits", 0, {"source only": accuracy(60)})
    (folder / "evaluation.json").write_text("{}")
    with pytest.raises(ArtefactError, match="its manifest says"):
        results_file.of_run(Store(tmp_path), "digits")


def test_a_results_file_gives_back_what_was_written(tmp_path: Path) -> None:
    digits(tmp_path / "runs")
    scored = scored_in(tmp_path / "runs")
    file = tmp_path / "results" / "digits.json"
    results_file.write(file, scored)
    assert results_file.read(file) == scored
    lines = file.read_text().splitlines()
    assert len([line for line in lines if '"confusion"' in line]) == 9, "one line an evaluation"
    assert str(tmp_path) not in file.read_text()


def test_no_run_of_a_file_is_lost(tmp_path: Path) -> None:
    digits(tmp_path, seeds=2)
    scored = scored_in(tmp_path)
    file = tmp_path / "digits.json"
    results_file.write(file, scored)
    with pytest.raises(ArtefactError, match="holds digits seed 0, which would be lost; name the file among the runs"):
        results_file.write(file, [run for run in scored if run.seed == 1])
    assert results_file.read(file) == scored
    file.write_text("{")
    results_file.write(file, scored)
    assert results_file.read(file) == scored, "a damaged file is written again"


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not JSON"), ("{}", "not a results file"), ('{"schema": 1, "runs": [{"a": 1}]}', "damaged")],
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(ArtefactError, match=message):
        results_file.read(file)


@pytest.mark.promise("damaged-artefact")
def test_a_damaged_lock_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.lock.json").write_text(json.dumps({"stages": []}))
    with pytest.raises(ArtefactError, match="damaged, 'stages' is"):
        results_file.of_run(Store(tmp_path), "x")
