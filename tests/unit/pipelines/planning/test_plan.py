"""Plans: keys depend on content, states on folders; missing data is a state."""

import inspect
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.definition import loading as pipelines
from pipelines.definition.optimizer import OptimizerConfig
from pipelines.definition.schema import RuntimeConfig
from pipelines.planning import plan as plans
from pipelines.running.execution import run_pipeline
from segda.artefacts.store import Store
from segda.config.lookup import module, names
from segda.engine.session import Session
from segda.errors import ConfigError


def keys(settings: list[str] | None = None, name: str = "job.yaml") -> dict[str, str]:
    made = plans.make_plan(pipelines.load(name, settings or []), Store(Path("runs")))
    return {planned.stage: planned.key for planned in made}


def states(only: list[str] | None = None, force: list[str] | None = None) -> dict[str, str]:
    made = plans.make_plan(pipelines.load("job.yaml"), Store(Path("runs")), only or [], force or [])
    return {planned.stage: planned.state for planned in made}


def run(only: list[str] | None = None, force: list[str] | None = None) -> None:
    run_pipeline(pipelines.load("job.yaml"), Store(Path("runs")), Session(cpu=True), only or [], force or [])


def changed(settings: list[str]) -> set[str]:
    before, after = keys(), keys(settings)
    return {stage for stage in before if before[stage] != after[stage]}


@pytest.mark.promise("change-reruns-dependents")
def test_a_change_upstream_changes_every_key_below_it(toy: Path) -> None:
    assert changed(["stages.first.value=9"]) == {"first", "second", "total"}
    assert changed(["stages.second.value=9"]) == {"second", "total"}
    assert changed(["seed=1"]) == {"first", "second", "total"}
    assert changed(["task.labels=camvid"]) == {"first", "second", "total"}


def test_how_a_stage_is_run_is_not_in_its_key(toy: Path) -> None:
    settings = ["runtime.workers=7", "runtime.cpu=false", "runtime.save_every=3", "runtime.recompute=true"]
    assert changed(settings) == set()


def test_a_default_written_out_changes_nothing(toy: Path) -> None:
    assert changed(["stages.first.fail_on=", "stages.first.init="]) == set()


@pytest.mark.promise("key-is-stable")
def test_an_option_that_is_left_at_its_default_is_in_no_key() -> None:
    """So that a new option changes no key."""
    assert plans._entries(OptimizerConfig(clip_gradient_norm=None, weight_decay=0.0)) == {}
    assert plans._entries(OptimizerConfig(weight_decay=0.1)) == {"weight_decay": 0.1}


def test_the_name_of_a_stage_is_not_in_its_key_and_the_order_of_rows_is(toy: Path) -> None:
    text = (toy / "job.yaml").read_text()
    (toy / "renamed.yaml").write_text(text.replace("first", "begin"))
    assert set(keys().values()) == set(keys(name="renamed.yaml").values())
    (toy / "turned.yaml").write_text(
        text.replace("{one: {from: first}, two: {from: second}}", "{two: {from: second}, one: {from: first}}")
    )
    assert keys()["total"] != keys(name="turned.yaml")["total"]


def test_a_new_version_is_a_new_key(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys()
    monkeypatch.setattr(pipelines.load("job.yaml").stage("total").module, "VERSION", 2)
    after = keys()
    assert {stage for stage in before if before[stage] != after[stage]} == {"total"}


def test_states_and_reasons(toy: Path) -> None:
    assert states() == {"first": "run", "second": "run", "total": "run"}
    run()
    assert states() == {"first": "done", "second": "done", "total": "done"}
    second = next(Path("runs").glob("*/stage.json")).parent
    (second / "manifest.json").unlink()
    assert sorted(states().values()) == ["done", "done", "resume"]


def test_force_takes_along_what_builds_on_it(toy: Path) -> None:
    run()
    assert states(force=["second"]) == {"first": "done", "second": "run", "total": "run"}
    assert states(force=["all"]) == {"first": "run", "second": "run", "total": "run"}
    made = plans.make_plan(pipelines.load("job.yaml"), Store(Path("runs")), force=["second"])
    assert [planned.reason for planned in made][1:] == ["forced", "builds on a forced stage"]


def test_only_leaves_the_rest_out(toy: Path) -> None:
    assert states(only=["first"]) == {"first": "run", "second": "left out", "total": "left out"}
    with pytest.raises(ConfigError, match="did you mean 'second'"):
        states(only=["secnd"])
    with pytest.raises(ConfigError, match="did you mean 'first'"):
        states(force=["frist"])


def camvid(root: Path, count: int = 2) -> None:
    for folder in ("train", "trainannot"):
        (root / folder).mkdir(parents=True)
        for number in range(count):
            pixels = np.zeros((4, 6, 3) if folder == "train" else (4, 6), np.uint8)
            cv2.imwrite(str(root / folder / f"{number}.png"), pixels)


def test_missing_data_is_a_state_and_goes_down_the_pipeline(toy: Path) -> None:
    settings = ["stages.second.source={name: camvid, root: sets/camvid}", "task.labels=camvid"]
    loaded = pipelines.load("job.yaml", settings)
    made = {planned.stage: planned for planned in plans.make_plan(loaded, Store(Path("runs")))}
    assert [planned.state for planned in made.values()] == ["run", "data missing", "data missing"]
    assert f"{toy}/sets/camvid does not exist; set SEGDA_DATA" in made["second"].reason
    assert "builds on second" in made["total"].reason
    assert not Path("runs").exists()

    camvid(toy / "sets" / "camvid")
    assert {planned.state for planned in plans.make_plan(loaded, Store(Path("runs")))} == {"run"}


def test_a_key_follows_the_data_and_not_its_place(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    camvid(toy / "a" / "camvid")
    shutil.copytree(toy / "a", toy / "b")
    setting = ["stages.second.source={name: camvid, root: camvid}", "task.labels=camvid"]
    monkeypatch.setenv("SEGDA_DATA", str(toy / "a"))
    before = keys(setting)
    monkeypatch.setenv("SEGDA_DATA", str(toy / "b"))
    assert keys(setting) == before
    (toy / "b" / "camvid" / "train" / "0.png").unlink()
    (toy / "b" / "camvid" / "trainannot" / "0.png").unlink()
    assert keys(setting)["second"] != before["second"]
    assert keys(setting)["first"] == before["first"]


def test_a_target_is_planned_without_its_labels(toy: Path) -> None:
    camvid(toy / "camvid")
    setting = ["stages.second.target={name: camvid, root: camvid}", "task.labels=camvid"]
    before = keys(setting)
    shutil.rmtree(toy / "camvid" / "trainannot")
    assert keys(setting) == before


def test_weights_count_by_content(toy: Path) -> None:
    text = (toy / "toy" / "write.py").read_text().replace("value: int = 1", "value: int = 1\n    net: dict = {}")
    (toy / "toy" / "write.py").write_text(text)
    for name, content in {"x.pth": "one", "y.pth": "one", "z.pth": "two"}.items():
        (toy / name).write_text(content)
    first = [keys([f"stages.first.net.weights={name}.pth"])["first"] for name in "xyz"]
    assert first[0] == first[1] != first[2]
    loaded = pipelines.load("job.yaml", ["stages.first.net.weights=gone.pth"])
    assert plans.make_plan(loaded, Store(Path("runs")))[0].state == "data missing"


def test_the_table(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(only=["first"])
    capsys.readouterr()
    made = plans.make_plan(pipelines.load("job.yaml"), Store(Path("runs")))
    plans.print_plan(made, "the plan")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the plan"
    assert lines[1].split() == ["stage", "kind", "state", "folder", "reason"]
    assert lines[2].split()[:3] == ["first", "toy.write", "done"]
    assert lines[3].split()[:4] == ["second", "toy.write", "run", made[1].folder.name if made[1].folder else ""]
    assert "no result for key" in lines[3]
    assert {line.index(p.state) for line, p in zip(lines[2:], made, strict=True)} == {lines[1].index("state")}


def test_a_network_without_features_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^stages\.source: encoder small: width is 0; expected at least 1$"):
        pipelines.load("streets", ["stages.source.networks.encoder.width=0"])


TRAINED_WITH_LABELS = {"source", "pixel", "feature", "both", "oracle", "evaluate", "report"}
AT_THE_TOP: dict[str, tuple[list[str], set[str]]] = {
    "title": (["title=Streets of another name"], set()),
    "class_weights": (["task.class_weights="], TRAINED_WITH_LABELS),
    "labels": (["task.labels=synthia16"], {*TRAINED_WITH_LABELS, "translate", "adapted"}),
    "seed": (["seed=1"], {*TRAINED_WITH_LABELS, "streets", "translate", "adapted"}),
    "runtime": (
        [
            "runtime.workers=3", "runtime.mixed_precision=no", "runtime.save_every=7",
            "runtime.log_every=7", "runtime.cpu=true", "runtime.deterministic=true", "runtime.on_bad_health=stop",
            "runtime.health={saturated: 0.9}", "runtime.gather_statistics=true", "runtime.fit_memory=true",
            "runtime.profile=true", "runtime.recompute=true", "runtime.compile=true", "runtime.trackers=[tensorboard]",
        ],
        set(),
    ),
    "pack": (["runtime.pack=true"], TRAINED_WITH_LABELS),
}  # fmt: skip
"""Setting at the top of `streets` to the stages that depend on it; on `runtime` none, but on packs those that scale."""


@pytest.mark.parametrize("name", AT_THE_TOP)
def test_only_what_depends_on_a_setting_at_the_top_changes_with_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings, expected = AT_THE_TOP[name]
    before = ["task.class_weights="] if name == "labels" else []  # which are one for each class
    plain, other = (
        {planned.stage: planned.key for planned in plans.make_plan(loaded, Store(Path("runs")))}
        for loaded in (pipelines.load("streets", each, remembered=True) for each in (before, [*before, *settings]))
    )
    assert {stage for stage in plain if plain[stage] != other[stage]} == expected


def test_every_setting_at_the_top_is_in_the_table() -> None:
    fields = set(pipelines.PipelineConfig.model_fields)
    assert fields == {"title", "task", "seed", "runtime", "folds", "stages", "defaults"}
    runtime = AT_THE_TOP["runtime"][0] + AT_THE_TOP["pack"][0]
    named = {setting.partition("=")[0].removeprefix("runtime.") for setting in runtime}
    assert named == set(RuntimeConfig.model_fields)


def test_terms_are_known_to_weigh_classes_by_what_they_call() -> None:
    """`semantic_consistency` does by an option, and so do terms that paste pixels with their true labels."""
    for name in names("segda.objectives.terms"):
        source = inspect.getsource(module("segda.objectives.terms", name))
        weighs = "supervised_loss" in source and name != "semantic_consistency"
        assert weighs == (name not in plans.UNWEIGHTED), name
    assert not plans._is_unweighted("semantic_consistency", {"source_labels": True})
    assert not plans._is_unweighted("self_training", {"class_weights": True})


def test_another_number_of_steps_prolongs_nothing_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def planned(*settings: str) -> plans.StagePlan:
        loaded = pipelines.load("moons", settings, remembered=True)
        return next(each for each in plans.make_plan(loaded, Store(Path("runs"))) if each.stage == "source")

    loaded, before = pipelines.load("moons", remembered=True), planned()
    config = loaded.stage("source").config.model_dump(mode="json", by_alias=True)
    Store(Path("runs")).begin("supervise", before.key, {"stage": "source", "config": config, "inputs": before.inputs})
    assert planned().state == "resume"
    longer = planned("stages.source.steps=4000").reason
    assert f"supervise-{before.key[:8]} has 2000 steps and is not prolonged" in longer
    assert "`init: {from: source}`" in longer
    assert "prolonged" not in planned("stages.source.steps=4000", "stages.source.batch=30").reason
