"""Every shipped YAML loads, validates, plans, and begins with a comment that says what a user needs to know."""

import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.definition import loading as pipelines
from pipelines.definition.components import READER, check_component, check_components
from pipelines.definition.schema import DataConfig, MethodConfig, data_fields
from pipelines.planning import plan as plans
from segda.artefacts.store import Store
from segda.config import loading
from segda.config.validation import validate

CONFIGS = loading.shipped("pipelines").parent
PIPELINES = sorted(loading.shipped("pipelines").rglob("*.yaml"))
METHODS = sorted(loading.shipped("methods").rglob("*.yaml"))
DATA = sorted(loading.shipped("data").rglob("*.yaml"))
PAPERS = [path for path in PIPELINES if "weights: imagenet" in path.read_text(encoding="utf-8")]


each_pipeline, each_method, each_data_set, each_paper = (
    pytest.mark.parametrize("path", paths, ids=lambda path: path.stem) for paths in (PIPELINES, METHODS, DATA, PAPERS)
)


def header(path: Path) -> str:
    """The comment at the top of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(lines[:end])


def test_no_config_is_elsewhere() -> None:
    assert all((PIPELINES, METHODS, DATA))
    assert sorted(CONFIGS.rglob("*.y*ml")) == sorted([*PIPELINES, *METHODS, *DATA])


@each_pipeline
def test_a_pipeline_plans_without_its_data(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "empty"))
    loaded = pipelines.load(str(path))
    plan = plans.make_plan(loaded, Store(tmp_path / "runs"))
    assert [planned.stage for planned in plan] == list(loaded.stages)
    assert {planned.state for planned in plan} <= {"run", "data missing"}
    assert not (tmp_path / "runs").exists()
    if path in PAPERS:
        assert {planned.state for planned in plan} == {"data missing"}
        assert any(str(tmp_path / "empty") in planned.reason for planned in plan)


@each_pipeline
def test_a_pipeline_begins_with_command_needs_and_result(path: Path) -> None:
    text = header(path)
    assert f"segda run {path.stem}" in text
    assert "Needs:" in text
    # A score is named only with the run and the commit that it is from.
    assert re.search(r"Result: +(not recorded yet|.*\b[0-9a-f]{7,40}\b)", text, re.DOTALL)


@each_paper
def test_a_pipeline_of_a_paper_says_whose_settings_it_uses(path: Path) -> None:
    text = header(path)
    assert f"accelerate launch -m pipelines {path.stem}" in text
    assert "Data:" in text
    assert "weights: imagenet" in text
    assert re.search("The (authors'|paper's):", text)
    assert "Our choice:" in text
    if "not recorded yet" in text:
        assert "ESTIMATE" in text


@pytest.mark.promise("no-target-labels")
@each_pipeline
def test_no_adapting_stage_opens_target_labels(path: Path) -> None:
    """The source of an adapting stage is never the target set, whose labels would then be read."""
    for stage in pipelines.load(str(path)).stages.values():
        sources, target = opened(stage, "source"), opened(stage, "target")
        assert {(data.name, str(data.root)) for data in sources}.isdisjoint(
            (data.name, str(data.root)) for data in target
        )


def opened(stage: Any, *fields: str) -> list[DataConfig]:
    """The data sets of these fields of a stage, each of which may have none, one or several."""
    return [data for name, (data, _) in data_fields(stage.config).items() if name.split(".")[0] in fields]


def scored(stages: dict[str, Any]) -> list[Any]:
    """The evaluations, the stages whose networks they score, and those that these begin from; not who only teaches."""
    evaluations = [stage for stage in stages.values() if stage.kind == "evaluate"]
    found = [stages[row.stage] for evaluation in evaluations for row in evaluation.config.rows.values()]
    for stage in found:
        if getattr(stage.config, "init", None):
            found.append(stages[stage.config.init.stage])
    return evaluations + found


@each_pipeline
def test_every_row_is_trained_and_scored_at_one_size(path: Path) -> None:
    """Otherwise rows would differ by more than the adaptation."""
    stages = pipelines.load(str(path)).stages
    sizes: dict[str, set[object]] = {}
    for stage in scored(stages):
        if stage.kind in ("supervise", "align", "evaluate"):
            method = getattr(stage.config, "method", None)
            scale = (method.terms.get("distillation") or {}).get("student_scale", 1) if method else 1
            for data in opened(stage, "data", "source", "target"):
                seen = data.resize and tuple(side * scale for side in data.resize)
                sizes.setdefault("source" if data.name == "adapted" else data.name, set()).add(seen)
    labelled = (
        data
        for stage in stages.values()
        if stage.kind in ("supervise", "align")
        for data in opened(stage, "data", "source")
    )
    source = next(data.name for data in labelled if data.name != "adapted")
    sizes[source] |= sizes.pop("source", set())
    assert all(len(own) == 1 for own in sizes.values()), sizes


@each_method
def test_a_method_validates(path: Path) -> None:
    method = validate(MethodConfig, loading.load(path, "methods"), path.stem)
    check_components(method, path.stem)
    assert method.title
    assert method.source
    for line in ("Source:", "Confidence:", "Our choice:"):
        assert line in header(path)


def test_method_titles_differ() -> None:
    titles = [loading.load(path, "methods")["title"] for path in METHODS]
    assert len(set(titles)) == len(titles)


@each_data_set
def test_a_data_set_validates(path: Path) -> None:
    data = validate(DataConfig, loading.load(path, "data"), path.stem)
    check_component("segda.data.readers", data, path.stem, READER)
    assert isinstance(data.root, str)
    assert not Path(data.root).is_absolute()
    assert header(path)


def test_variants_are_what_their_names_say() -> None:
    """What `base:` and `null` leave."""

    def stages(name: str) -> list[str]:
        return list(pipelines.load(name).stages)

    five = ["source", "translate", "adapted", "pixel", "feature", "both", "oracle", "evaluate", "report"]
    assert stages("gta5_to_cityscapes") == stages("synthia_to_cityscapes") == five
    assert stages("gta5_to_cityscapes_i2i") == ["source", "oracle", "i2i", "evaluate", "report"]
    assert "feature" not in stages("gta5_to_cityscapes_cyclegan")
    i2i = pipelines.load("gta5_to_cityscapes_i2i").stage("i2i").config
    assert {name: term["weight"] for name, term in i2i.method.terms.items()} == {
        "classification": 1.0, "translation_adversarial": 0.04, "identity": 0.2, "translated_classification": 0.1
    }  # fmt: skip
    assert i2i.crop == (256, 256)
    assert i2i.init is None
    for stage in ("source", "i2i", "oracle"):
        dense = pipelines.load("gta5_to_cityscapes_i2i_densenet").stage(stage).config.networks.encoder
        assert (dense.name, dense.options) == ("dilated_densenet", {"depth": 121, "weights": "imagenet"})
    semantic = pipelines.load("gta5_to_cityscapes_semantic").stage("translate").config
    assert semantic.networks.discriminators["image"].name == "semantic_patch"
    synthia = pipelines.load("synthia_to_cityscapes").stages
    assert {stage.config.task.options["labels"] for stage in synthia.values()} == {"synthia16"}
    assert not any("gta5" in str(stage.config.model_dump()) for stage in synthia.values())
