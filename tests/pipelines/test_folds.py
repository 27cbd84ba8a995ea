"""A pipeline with folds, from frames of two drives to the averaged table and its page."""

import json
import statistics
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from pipelines.commands.arguments import finished_rows
from pipelines.definition import loading as pipelines
from segda.artefacts import manifest as manifests
from segda.artefacts.store import Store
from segda.errors import ConfigError
from segda.report import results_file, seed_table

DRIVES = ("a", "b")

JOB = """
task: {name: segmentation, labels: camvid}
runtime: {cpu: true, workers: 0}
folds:
  a: {adapt: [b_*], score: [a_*]}
  b: {adapt: [a_*], score: [b_*]}
defaults:
  supervise: &small
    networks: {encoder: {name: small, width: 4, blocks: 1}, head: {name: small, width: 4}}
    steps: 1
    batch: 2
  align: *small
stages:
  source: {kind: supervise, data: &rendered {name: camvid, root: rendered}, method: source_only}
  feature:
    kind: align
    source: *rendered
    target: &adapting {name: camvid, root: filmed, include: {fold: adapt}}
    method: {title: entropy, terms: {classification: {weight: 1}, target_entropy: {weight: 0.1}}}
    init: {from: source}
  oracle: {kind: supervise, data: *adapting, method: oracle, steps: 20, optimizer: {learning_rate: 0.01}}
  evaluate:
    kind: evaluate
    data: {name: camvid, root: filmed, include: {fold: score}}
    rows: {source only: {from: source}, feature: {from: feature}, oracle: {from: oracle}}
  average:
    kind: average
    evaluations: {a: {from: evaluate-a}, b: {from: evaluate-b}}
  report:
    kind: report
    evaluation: {from: average}
    source: *rendered
    data: {name: camvid, root: filmed}
    before: {from: source}
    after: {from: feature-b}
    pictures: 1
    embedding: 0
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`job.yaml` and its data: four rendered frames, and two frames each of two drives."""
    folder = tmp_path_factory.mktemp("folds")
    names = [f"{drive}_{number}" for drive in DRIVES for number in range(2)]
    for seed, (root, name) in enumerate([*(("rendered", f"{n}") for n in range(4)), *(("filmed", n) for n in names)]):
        draw = np.random.default_rng(seed)
        label = cv2.resize(draw.integers(0, 11, (3, 4)).astype(np.uint8), (32, 24), interpolation=cv2.INTER_NEAREST)
        image = np.stack([label * 20, 255 - label * 20, label * 9], axis=-1)
        for part, pixels in (("train", image), ("trainannot", label)):
            (folder / root / part).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / root / part / f"{name}.png"), pixels)
    (folder / "job.yaml").write_text(JOB)
    return folder


@pytest.fixture
def here(job: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(job)
    monkeypatch.setenv("SEGDA_DATA", str(job))
    return job


@pytest.fixture
def finished(here: Path) -> Store:
    """The store of the finished run; later tests find it as it is."""
    assert main(["run", "job.yaml"]) == 0
    return Store(here / "runs")


def scores(store: Store, stage: str) -> dict[str, Any]:
    folder = store.read_lock("job")["stages"][stage]["folder"]
    content: dict[str, Any] = json.loads((store.root / folder / "evaluation.json").read_text())
    return content


def test_no_stage_of_a_fold_opens_the_drive_that_it_is_scored_on(finished: Store) -> None:
    stages = finished.read_lock("job")["stages"]
    assert [name for name in stages if name.startswith("source")] == ["source"], "trained once for all folds"
    for fold in DRIVES:
        config = pipelines.load("job.yaml").stage(f"feature-{fold}").config
        assert f"{fold}_*" not in config.target.options["include"]
        assert scores(finished, f"evaluate-{fold}")["feature"]["protocol"]["images"] == 2
        inputs = manifests.load(finished.root / stages[f"evaluate-{fold}"]["folder"]).inputs
        assert inputs["rows.feature"]["stage"] == f"feature-{fold}"
        assert inputs["rows.source only"]["stage"] == "source"
    prints = {
        manifests.load(finished.root / stages[f"feature-{fold}"]["folder"]).inputs["target"]["fingerprint"]
        for fold in DRIVES
    }
    assert len(prints) == 2


def test_the_average_is_the_mean_of_the_folds(finished: Store) -> None:
    mean = scores(finished, "average")
    for row in ("source only", "feature", "oracle"):
        own = [scores(finished, f"evaluate-{fold}")[row] for fold in DRIVES]
        assert mean[row]["scores"]["mean_iou"] == statistics.fmean(one["scores"]["mean_iou"] for one in own)
        assert mean[row]["subspaces"]["camvid10"]["classes"] == 10
        assert mean[row]["parts"] == dict(zip(DRIVES, own, strict=True))
    assert mean["oracle"]["protocol"]["trained_on_target_labels"]


def test_the_table_has_one_line_a_row_with_mean_parts_and_gap(
    finished: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["table", "job", "--markdown", "--save", str(tmp_path / "saved.json")]) == 0
    header, _, *lines = capsys.readouterr().out.splitlines()
    assert header.startswith(
        "| row | seed 0 | gain | gap closed | mIoU camvid10 | closed mIoU camvid10 | a | b | worst"
    )
    assert [line.split(" | ")[0] for line in lines] == ["| source only", "| feature", "| oracle"]
    (scored,) = results_file.read(tmp_path / "saved.json")
    assert scored.stage == "average"
    table = seed_table.build("job", [scored])
    assert table.rows[1].values[0] == scores(finished, "average")["feature"]["scores"]["mean_iou"]
    assert main(["report", "job"]) == 0
    printed = capsys.readouterr().out
    assert "mIoU b" in printed
    assert "gap of mIoU to 'oracle' closed: feature" in printed.replace("\n", " ")


def test_the_page_draws_the_staircase_and_the_confusion_of_both_rows(finished: Store) -> None:
    folder = finished.read_lock("job")["stages"]["report"]["folder"]
    page = (finished.root / folder / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="gap">' in page
    assert "gap closed in percent" in page
    assert 'aria-label="confusion of feature"' in page
    assert 'aria-label="confusion of oracle"' not in page
    assert "averaged over" in page


def test_networks_of_every_fold_can_be_scored_elsewhere(finished: Store) -> None:
    rows = finished_rows(finished, "job", [])
    assert list(rows) == ["source only", *(f"{stage}-{fold}" for stage in ("feature", "oracle") for fold in DRIVES)]


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            "stages.average.evaluations.b={from: source}",
            r"average\.evaluations\.b: stage 'source' scores nothing; expected",
        ),
        (
            "stages.average.evaluations.b={from: evaluate}",
            r"average-a\.evaluations\.b: stage 'evaluate-a' is there twice; name each",
        ),
        ("stages.feature-a.steps=2", "no stage 'feature-a'; did you mean 'feature'"),
    ],
)
def test_mistakes_are_found_before_work(here: Path, setting: str, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        pipelines.load("job.yaml", [setting])


def test_an_average_over_other_rows_is_refused(here: Path) -> None:
    _, changed = pipelines.resolve("job.yaml")
    changed["stages"]["evaluate-b"]["rows"].pop("feature")
    with pytest.raises(ConfigError, match=r"'evaluate-b' has the rows source only, oracle; expected source only, feat"):
        pipelines.build("job", changed)


def test_settings_reach_every_fold(here: Path) -> None:
    stages = pipelines.load("job.yaml", ["stages.feature.steps=7"]).stages
    assert [stages[f"feature-{fold}"].config.steps for fold in DRIVES] == [7, 7]
