"""`sampling` and several sources in a run: what is drawn, counted once, the same after a kill and from packs."""

import json
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from pipelines.planning.plan import make_plan
from segda.artefacts.store import Store
from segda.errors import ConfigError
from tests.cli.conftest import Refused
from tests.cli.conftest import data as data  # noqa: F401  a fixture
from tests.cli.conftest import refused as refused  # noqa: F401  a fixture
from tests.pipelines.tiny import killed

JOB = """
task: {name: segmentation, labels: cityscapes}
runtime: {cpu: true, workers: 0, save_every: 1, log_every: 1}
stages:
  source:
    kind: supervise
    data: [{base: gta5, resize: [42, 70]}, {base: gta5, resize: [48, 80], exclude: ["00001"]}]
    method: source_only
    networks: {encoder: {name: small, width: 4, blocks: 1}, head: {name: small, width: 4}}
    steps: 3
    batch: 4
    crop: [32, 32]
    sampling: {rare_classes: {temperature: 0.1, crop_share: 0.1}, largest_class: 0.8, tries: 4}
  feature:
    kind: align
    source: [gta5, {base: cityscapes, split: val}]
    target: cityscapes
    method: dann
    networks:
      encoder: {name: small, width: 4, blocks: 1}
      head: {name: small, width: 4}
      discriminators: {feature: {name: feature, width: 4}}
    steps: 2
    batch: 2
    crop: [32, 32]
    sampling: {weights: [1, 3]}
"""


@pytest.fixture
def job(data: Path) -> Path:  # noqa: F811
    Path("job.yaml").write_text(JOB)
    return data


def published(runs: str = "runs") -> dict[str, str]:
    """The checksums of all networks, by stage."""
    found = {}
    for file in Path(runs).glob("*/manifest.json"):
        if ".replaced" in file.parent.name:
            continue
        content = json.loads(file.read_text())
        found |= {f"{content['stage']}/{name}": each["sha256"] for name, each in content["outputs"].items()}
    return found


def run_to_the_end() -> None:
    assert main(["job.yaml", "--runs", str(Path("killed").absolute())]) == 0


def key(text: str, stage: str = "source") -> str:
    Path("changed.yaml").write_text(text)
    plan = make_plan(pipelines.load("changed.yaml"), Store(Path("runs")))
    return next(planned.key for planned in plan if planned.stage == stage)


@pytest.mark.promise("data-order-resumes")
def test_a_run_counts_once_and_is_the_same_after_kills_and_from_packs(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["job.yaml"]) == 0
    expected = published()
    assert sorted(name.split("/")[0] for name in expected) == ["feature"] * 2 + ["source"] * 2
    assert capsys.readouterr().out.count("pixels of each class: labels 4/4") == 1
    counts = sorted(Path("runs/class_counts").iterdir())
    assert [file.name.rsplit("-", 1)[0] for file in counts] == ["gta5", "gta5"]
    content = json.loads(counts[0].read_text())
    assert {sum(row) for row in content["pixels"]} == {52 * 96}, "every pixel, at the labels' own size"
    inputs = json.loads(next(Path("runs").glob("align-*/manifest.json")).read_text())["inputs"]
    assert {name: origin["dataset"] for name, origin in inputs.items()} == {
        "source.0": "gta5", "source.1": "cityscapes", "target": "cityscapes",
    }  # fmt: skip

    assert main(["job.yaml", "--force", "source", "--only", "source"]) == 0
    assert "pixels of each class" not in capsys.readouterr().out
    assert published() == expected

    for fatal in (3, 5, 9):
        assert killed(run_to_the_end, fatal)
    run_to_the_end()
    assert published("killed") == expected

    assert main(["job.yaml", "--runs", "packed", "--set", "runtime.pack=true"]) == 0
    assert len(list(Path("packed/packs").glob("gta5-*"))) == 3
    assert published("packed") == expected


def test_what_is_left_at_its_default_changes_no_key_and_all_else_does(job: Path) -> None:
    plain = JOB.replace("    sampling: {weights: [1, 3]}\n", "")
    assert key(plain, "feature") != key(JOB, "feature")
    assert key(plain.replace("target: city", "sampling: {tries: 10}\n    target: city"), "feature") == key(
        plain, "feature"
    )
    for before, after in (
        ("temperature: 0.1", "temperature: 0.2"),
        (", largest_class: 0.8", ""),
        ("tries: 4", "tries: 5"),
    ):
        assert key(JOB.replace(before, after)) != key(JOB)
    swapped = JOB.replace("[gta5, {base: cityscapes, split: val}]", "[{base: cityscapes, split: val}, gta5]")
    assert key(swapped, "feature") != key(JOB, "feature"), "the order of the sources decides the draws"


def test_unreadable_files_of_each_source_are_skipped(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.yaml").write_text(JOB.replace("resize: [42, 70]", "on_bad_file: skip"))
    broken = job / "gta5/labels/00001.png"
    broken.write_bytes(broken.read_bytes()[:-40])
    assert main(["job.yaml", "--only", "source"]) == 0
    assert "data.0: 1 files left out, labels/00001.png first" in capsys.readouterr().out
    assert {len(json.loads(file.read_text())["pixels"]) for file in Path("runs/class_counts").iterdir()} == {3}


def test_damaged_counts_are_refused(job: Path, refused: Refused) -> None:  # noqa: F811
    assert main(["job.yaml", "--only", "source"]) == 0
    file = sorted(Path("runs/class_counts").iterdir())[0]
    file.write_text(file.read_text().replace("0, ", "1, ", 1))
    message = refused("job.yaml", "--only", "source", "--force", "source", finished=1)
    assert f"error: {file}: damaged, it does not hold what was written; remove it" in message


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("weights: [1, 3]", "weights: [1]", "stages.feature: sampling.weights has 1 entries, expected one for each"),
        ("weights: [1, 3]", "weights: [1, 0]", "stages.feature.sampling.weights.1: found 0; expected a number above 0"),
        ("weights: [1, 3]", "wieghts: [1, 3]", "stages.feature.sampling.wieghts: unknown key; did you mean 'weights'?"),
        ("    crop: [32, 32]\n    sampling: {rare", "    sampling: {rare", "largest_class chooses among crops; set"),
        ("source: [gta5, ", "paired: true\n    source: [gta5, ", "stages.feature: paired: pairs are drawn from one"),
        ("source: [gta5, ", "source: [gta6, ", "stages.feature.source.0: no data config called 'gta6'"),
        ("split: val}]", "split: train}]", "stages.feature.source.1: cityscapes"),
        ("[42, 70]}", "[42, 70], spilt: train}", "stages.source.data.0.spilt: unknown key; did you mean 'split'?"),
        ("kind: align", "kind: coral", "stages.feature: source: CORAL measures one source, found a list"),
        ("[gta5, {base: cityscapes, split: val}]", "[]", "stages.feature: its list of labelled data sets is empty"),
    ],
)  # fmt: skip
def test_errors(job: Path, before: str, after: str, message: str) -> None:
    assert before in JOB
    text = JOB.replace(before, after)
    if "coral" in after:
        text = text.replace("method: dann", "method: coral\n    init: {from: source}")
    Path("job.yaml").write_text(text)
    with pytest.raises(ConfigError) as refusal:
        pipelines.load("job.yaml")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
