"""Classes of one's own, described in YAML alone: in the data set's file, beside it, and in the pipeline."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from pipelines.commands.arguments import finished_rows
from pipelines.definition import loading as pipelines
from pipelines.planning import plan as plans
from segda import label_space
from segda.artefacts.store import Store

COINS = """
name: folder
root: coins
images: images/{split}
labels: masks/{split}
classes: {0: background, 1..199: coin, 200: note, 201..255: coin}
palette: {background: [0, 0, 0], note: [0, 90, 0], coin: [255, 200, 0]}
things: [coin]
categories: {ground: [background], money: [coin, note]}
"""

JOB = """
task: {name: segmentation, labels: coins.yaml}
runtime: {cpu: true, workers: 0}
stages:
  source: &small
    kind: supervise
    data: &coins {base: coins.yaml}
    method: source_only
    networks: {encoder: {name: small, width: 4, blocks: 1}, head: {name: small, width: 4}}
    steps: 1
    batch: 2
  export: {kind: export, data: *coins, method: fda, target: &val {base: coins.yaml, split: val}}
  pixel: {<<: *small, data: {name: adapted, root: {from: export}}}
  evaluate: {kind: evaluate, data: *val, rows: {source only: {from: source}, pixel: {from: pixel}}}
  report:
    kind: report
    source: *coins
    data: *val
    evaluation: {from: evaluate}
    before: {from: source}
    after: {from: pixel}
    embedding: 0
"""


@pytest.fixture(autouse=True)
def coins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photographs and masks of 0, 200 and 255, and `jobs/job.yaml` with `jobs/coins.yaml` beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    for split in ("train", "val"):
        for index in range(2):
            mask = np.zeros((32, 32), np.uint8)
            mask[4:20, 4 + index : 20] = 255
            mask[24:28, :8] = 200
            for folder, pixels in (("images", np.repeat(mask[..., None], 3, axis=2)), ("masks", mask)):
                path = tmp_path / "data" / "coins" / folder / split / f"{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(path), pixels)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "coins.yaml").write_text(COINS)
    (tmp_path / "jobs" / "job.yaml").write_text(JOB)
    return tmp_path / "jobs" / "coins.yaml"


def keys(*settings: str) -> dict[str, str]:
    made = plans.make_plan(pipelines.load("jobs/job.yaml", settings), Store(Path("runs")))
    return {planned.stage: planned.key for planned in made}


def changed(*settings: str) -> set[str]:
    before, after = keys(), keys(*settings)
    return {stage for stage in before if before[stage] != after[stage]}


def test_every_command_takes_classes_of_ones_own(coins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "jobs/coins.yaml", "--labels", "jobs/coins.yaml"]) == 0
    # In each of the two masks 4 x 8 pixels are notes; 16 x 16 and 16 x 15 are coins.
    shares = {line.split()[0]: line.split()[-1] for line in capsys.readouterr().out.splitlines() if line}
    assert (shares["coin"], shares["note"], shares["background"]) == ("496", "64", "1,488")
    assert main(["jobs/job.yaml"]) == 0
    output = capsys.readouterr().out
    assert "money" in output, "the score of a category"
    manifest = finished_rows(Store(Path("runs")), "job")["pixel"][1]
    assert label_space.load(manifest.config["task"]["labels"]).classes == ("background", "coin", "note")
    exported = json.loads(next(Path("runs").glob("export-*/dataset.json")).read_text())
    assert (exported["space"], exported["classes"]) == ("coins", ["background", "coin", "note"])
    label = cv2.imread(str(next(Path("runs").glob("export-*/labels/0.png"))), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread("data/coins/masks/train/0.png", cv2.IMREAD_UNCHANGED)
    assert {int(native): set(label[mask == native].tolist()) for native in np.unique(mask)} == {
        0: {0},
        200: {2},
        255: {1},
    }

    # A palette is drawn, not trained; what is finished needs the file no more.
    coins.write_text(COINS.replace("255, 200, 0", "9, 9, 9"))
    assert main(["jobs/job.yaml"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.split(": ")[1].split()[0].strip(",") for line in lines] == ["done", "done", "done", "done", "run"]
    coins.rename("elsewhere.yaml")
    assert main(["predict", "job", "data/coins/images/val", "-o", "seen", "--cpu", "--kind", "ids"]) == 0
    described = json.loads(Path("seen/predictions.json").read_text())
    assert [(entry["name"], entry["colour"], entry["thing"]) for entry in described["classes"]] == [
        ("background", [0, 0, 0], False), ("coin", [9, 9, 9], True), ("note", [0, 90, 0], False)
    ]  # fmt: skip
    for words in (
        ["status", "job"],
        ["table", "job"],
        ["report", "job"],
        ["evaluate", "job", "--data", "elsewhere.yaml", "--split", "val", "--cpu"],
        ["run", "--from-manifest", "runs/job.lock.json", "--runs", "again"],
    ):
        assert main(words) == 0, words
    assert "report: equal" in capsys.readouterr().out


def test_keys_hold_what_a_stage_depends_on() -> None:
    everything = set(keys())
    assert changed("task.labels.name=money") == set()
    assert changed("task.labels.things=[note]") == set()
    assert changed("task.labels.palette=[[1, 1, 1], [2, 2, 2], [3, 3, 3]]") == {"report"}
    assert changed("task.labels.categories={ground: [background, note], money: [coin]}") == {"evaluate", "report"}
    assert changed("task.labels.classes=[coin, background, note]") == everything
    # The data sets' own `classes` give the ids here, so those of the label space change nothing.
    assert changed("task.labels.ids.coin=[1]") == set()


def test_beside_the_data_set_or_in_the_pipeline(coins: Path) -> None:
    lines = COINS.splitlines(keepends=True)
    files = [line for line in lines if line.startswith(("name", "root", "images", "labels"))]
    coins.write_text("".join(files))
    coins.with_name("space.yaml").write_text("".join(line for line in lines if line not in files))
    coins.with_name("job.yaml").write_text(JOB.replace("labels: coins.yaml", "labels: space.yaml"))
    beside = keys()
    inside = (
        "classes: [background, coin, note], ids: {background: 0, coin: [1..199, 201..255], note: 200}, "
        "palette: [[0, 0, 0], [255, 200, 0], [0, 90, 0]], categories: {ground: [background], money: [coin, note]}"
    )
    assert keys(f"task.labels={{{inside}}}") == beside
    other = keys("task.labels.ids.coin=[1]")
    assert all(other[stage] != beside[stage] for stage in other)
    assert main(["jobs/job.yaml", "--only", "source", "--processes", "2"]) == 0


@pytest.mark.parametrize(("labels", "message"), [
    ("coinz.yaml", "task.labels: coinz.yaml: no such file; looked for jobs/coinz.yaml, coinz.yaml"),
    ("coins", "task.labels: unknown label space 'coins'; "),
    ("[a, b]", "task.labels: found ['a', 'b']; expected the name of a label space, or a YAML file"),
    ("wrong.yaml", "task.labels: jobs/wrong.yaml: clases: unknown key; did you mean 'classes'?"),
    ("files.yaml", "task.labels: jobs/files.yaml: classes: found 0 names; expected 2 to 255"),
])  # fmt: skip
def test_wrong_labels_are_one_line(labels: str, message: str, coins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coins.with_name("wrong.yaml").write_text("clases: [a, b]\n")
    coins.with_name("files.yaml").write_text("name: folder\nroot: coins\n")
    assert main(["jobs/job.yaml", "--plan", "--set", f"task.labels={labels}"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_another_label_space_says_which_file_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "jobs/coins.yaml"]) == 2
    assert "'background' is no class of label space 'cityscapes' (what should not count" in capsys.readouterr().err
