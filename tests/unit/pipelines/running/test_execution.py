"""Running: each stage once, in order; resumed after a crash; forced reruns keep the old result."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from pipelines.definition.schema import Reference
from pipelines.running.execution import RunInputs, run_pipeline
from pipelines.training.open_data import ListedData
from segda.artefacts import manifest as manifests
from segda.artefacts.store import Store
from segda.data.dataset import Dataset
from segda.data.readers import points as points_reader
from segda.engine.session import Session
from segda.errors import ArtefactError, TrainingError


def run(settings: list[str] | None = None, only: list[str] | None = None, force: list[str] | None = None) -> None:
    loaded = pipelines.load("job.yaml", settings or [])
    run_pipeline(loaded, Store(Path("runs")), Session(cpu=True), only or [], force or [])


def folder(stage: str) -> Path:
    return Path("runs") / json.loads(Path("runs/job.lock.json").read_text())["stages"][stage]["folder"]


def calls(stage: str) -> int:
    return len((folder(stage) / "calls.txt").read_text())


@pytest.mark.promise("finished-not-repeated")
def test_a_pipeline_runs_once(toy: Path) -> None:
    run()
    assert (folder("total") / "sum.txt").read_text() == "7"
    run()
    assert (calls("first"), calls("second")) == (1, 1)


@pytest.mark.promise("provenance")
def test_the_manifest_says_what_was_done(toy: Path) -> None:
    run(["seed=0"])
    manifest = manifests.verify(folder("second"), full=True)
    first = manifests.load(folder("first"))
    assert (manifest.stage, manifest.kind, manifest.metrics) == ("second", "toy.write", {"value": 3, "world": 1})
    assert manifest.inputs["init"]["key"] == first.key
    assert manifest.config["init"] == {"from": "first", "output": None}
    assert list(manifest.outputs) == ["numbers/value.txt"]
    assert manifest.provenance["world_size"] == 1
    assert "torch" in manifest.provenance["packages"]


def test_the_lock_names_folders_and_holds_the_config(toy: Path) -> None:
    run()
    lock = json.loads(Path("runs/job.lock.json").read_text())
    assert {entry["state"] for entry in lock["stages"].values()} == {"done"}
    assert lock["config"]["stages"]["second"]["value"] == 3


@pytest.mark.promise("manifest-last")
def test_a_stage_that_fails_publishes_nothing_and_is_resumed(toy: Path) -> None:
    with pytest.raises(TrainingError, match="told to fail"):
        run(["stages.second.fail_on=0"])
    assert (folder("second") / "stage.json").is_file()
    assert not (folder("second") / "manifest.json").exists()
    assert json.loads(Path("runs/job.lock.json").read_text())["stages"]["first"]["state"] == "done"
    with pytest.raises(TrainingError):
        run(["stages.second.fail_on=0"])
    assert (calls("first"), calls("second")) == (1, 2)


@pytest.mark.promise("manifest-last")
def test_a_stage_without_its_output_is_not_published(toy: Path) -> None:
    text = (toy / "toy" / "write.py").read_text()
    (toy / "toy" / "write.py").write_text(text.replace('("numbers",)', '("numbers", "scores.csv")'))
    with pytest.raises(ArtefactError, match=r"without its output 'scores\.csv'"):
        run()
    assert not (folder("first") / "manifest.json").exists()


def test_equal_stages_of_two_pipelines_share_a_folder(toy: Path) -> None:
    run()
    (toy / "job.yaml").rename(toy / "other.yaml")
    loaded = pipelines.load("other.yaml", ["stages.second.value=5"])
    run_pipeline(loaded, Store(Path("runs")), Session(cpu=True))
    assert calls("first") == 1
    assert len(list(Path("runs").glob("toy.write-*"))) == 3


@pytest.mark.promise("force-deletes-nothing")
def test_force_keeps_the_old_result_aside(toy: Path) -> None:
    run()
    run(force=["second"])
    aside = {path.name for path in Path("runs").glob("*.replaced-*")}
    assert aside == {f"{folder(stage).name}.replaced-1" for stage in ("second", "total")}
    assert (calls("first"), calls("second")) == (1, 1)


@pytest.mark.promise("killed-force")
def test_a_forced_run_that_was_killed_goes_on_without_force(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    module = pipelines.load("job.yaml").stage("first").module

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            run(force=["first"])
    run()
    assert all((folder(stage) / "manifest.json").is_file() for stage in ("first", "second", "total"))
    assert len(list(Path("runs").glob("*.replaced-*"))) == 3


def test_only_runs_one_stage_and_needs_those_before_it(toy: Path) -> None:
    with pytest.raises(ArtefactError, match="needs 'first', which is not finished"):
        run(only=["second"])
    assert not list(Path("runs").glob("*/manifest.json"))
    run(only=["first"])
    run(only=["second"])
    assert len(list(Path("runs").glob("*/manifest.json"))) == 2


@pytest.mark.promise("missing-data")
def test_missing_data_is_refused_before_any_work(toy: Path) -> None:
    with pytest.raises(ArtefactError, match=r"stages\.second: .*nowhere does not exist"):
        run(["stages.second.source={name: camvid, root: nowhere}"])
    assert not list(Path("runs").glob("*/stage.json"))
    run(["stages.second.source={name: camvid, root: nowhere}"], only=["first"])
    assert calls("first") == 1


@pytest.mark.promise("damaged-output")
def test_a_damaged_result_is_made_again(toy: Path) -> None:
    run()
    (folder("first") / "numbers" / "value.txt").write_text("")
    run()
    assert (folder("first") / "numbers" / "value.txt").read_text() == "2"
    assert calls("second") == 1


def test_inputs_name_a_missing_output(tmp_path: Path) -> None:
    inputs = RunInputs({"first": tmp_path}, ListedData())
    assert inputs.folder(Reference(stage="first")) == tmp_path
    with pytest.raises(ArtefactError, match="output of stage 'first' is missing"):
        inputs.folder(Reference(stage="first", output="networks"))


def test_a_run_lists_each_data_set_once_before_its_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One listing serves the plan, the checks, the disk estimate and the stages."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.yaml").write_text(
        "task: {name: classification, labels: moons}\nstages:\n  moons: {kind: generate_moons, train: 8, test: 4}\n"
    )
    assert main(["data.yaml", "--cpu"]) == 0
    source = next((tmp_path / "runs").glob("generate_moons-*")) / "source"
    (tmp_path / "job.yaml").write_text(
        "task: {name: classification, labels: moons}\n"
        "runtime: {workers: 0, cpu: true}\n"
        "stages:\n  source:\n    kind: supervise\n"
        f"    data: {{name: points, root: {source}}}\n"
        "    method: source_only\n"
        "    networks: {encoder: {name: mlp, widths: [3]}, head: {name: flat, side: 1}}\n"
        "    steps: 1\n    batch: 4\n    augment: {flip: false}\n"
    )
    listings, build = [], points_reader.build

    def counted(root: Path, *arguments: Any, **options: Any) -> Dataset:
        listings.append(root)
        return build(root, *arguments, **options)

    monkeypatch.setattr(points_reader, "build", counted)
    assert main(["job.yaml"]) == 0
    assert listings == [source]
