"""Every shipped YAML, found by listing the folders: it loads, validates, plans, and opens with what a reader needs."""

from pathlib import Path

import pytest

from pipelines import pipeline as pipelines
from pipelines import plan as plans
from pipelines.components import READER, check_component, check_components
from pipelines.stage import Data, Method
from segda import config
from segda.artefacts.store import Store

PIPELINES = sorted(config.shipped("pipelines").rglob("*.yaml"))
METHODS = sorted(config.shipped("methods").rglob("*.yaml"))
DATA = sorted(config.shipped("data").rglob("*.yaml"))


def stem(path: Path) -> str:
    return path.stem


def header(path: Path) -> str:
    """The comment at the top of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(lines[:end])


def test_the_folders_are_not_empty() -> None:
    assert PIPELINES
    assert METHODS
    assert DATA


@pytest.mark.parametrize("path", PIPELINES, ids=stem)
def test_a_pipeline_plans_without_its_data(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "empty"))
    loaded = pipelines.load(str(path))
    plan = plans.make(loaded, Store(tmp_path / "runs"))
    assert [planned.stage for planned in plan] == list(loaded.stages)
    assert {planned.state for planned in plan} <= {"run", "data missing"}
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("path", PIPELINES, ids=stem)
def test_a_pipeline_opens_with_command_needs_and_result(path: Path) -> None:
    text = header(path)
    assert f"segda run {path.stem}" in text
    assert "Needs:" in text
    assert "Result:" in text


@pytest.mark.parametrize("path", PIPELINES, ids=stem)
def test_no_adapting_stage_opens_target_labels(path: Path) -> None:
    """The source of an adapting stage is never the target set, whose labels would then be read."""
    for stage in pipelines.load(str(path)).stages.values():
        source, target = getattr(stage.config, "source", None), getattr(stage.config, "target", None)
        if target is not None:
            assert (source.name, source.root) != (target.name, target.root)


@pytest.mark.parametrize("path", METHODS, ids=stem)
def test_a_method_validates(path: Path) -> None:
    method = config.validate(Method, config.load(path, "methods"), path.stem)
    check_components(method, path.stem)
    assert method.title
    assert header(path)


@pytest.mark.parametrize("path", DATA, ids=stem)
def test_a_data_set_validates(path: Path) -> None:
    data = config.validate(Data, config.load(path, "data"), path.stem)
    check_component("segda.data.readers", data, path.stem, READER)
    assert isinstance(data.root, str)
    assert not Path(data.root).is_absolute()
    assert header(path)
