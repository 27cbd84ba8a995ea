"""A pipeline's YAML as validated stages in the order in which they run."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, NonNegativeInt

from pipelines.definition import consistency, folds, labels, validation_cache
from pipelines.definition.components import check_components
from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import (
    ComponentConfig,
    DataConfig,
    MethodConfig,
    Reference,
    RuntimeConfig,
)
from pipelines.definition.strict import StrictConfig
from segda.config import loading as configs
from segda.config.lookup import module, names, nearest
from segda.config.validation import validate
from segda.errors import ConfigError, reason
from segda.files import is_below

LAUNCH = frozenset({"cpu", "mixed_precision", "deterministic"})
"""Settings of `runtime` that are the same for all stages of a launch."""

FOLDERS: dict[type, str] = {DataConfig: "data", MethodConfig: "methods"}


class PipelineConfig(StrictConfig):
    """The top of a pipeline's YAML; `stages` and `defaults` are read by kind, `folds` by `folds.unfolded`."""

    title: str = ""
    task: ComponentConfig
    seed: NonNegativeInt = 0
    runtime: RuntimeConfig = RuntimeConfig()
    stages: dict[str, dict[str, Any]]
    defaults: dict[str, dict[str, Any]] = {}
    folds: dict[str, dict[str, Any]] = {}


@cache
def kinds() -> tuple[str, ...]:
    """The kinds of stages: the files and folders of `pipelines/stages`."""
    return tuple(names("pipelines.stages"))


def stage_module(kind: str, path: str) -> ModuleType:
    """The module of a kind of stage.

    Raises:
        ConfigError: there is no such kind, or outside code that is not allowed or no stage.
    """
    if "." not in kind and kind not in kinds():
        raise ConfigError(f"{path}.kind: unknown kind {kind!r}; {nearest(kind, kinds())}")
    try:
        stage = module("pipelines.stages", kind)
    except ConfigError as error:
        raise ConfigError(f"{path}.kind: {error}") from None
    for part in ("VERSION", "OUTPUTS", "Config", "run"):
        if not hasattr(stage, part):
            raise ConfigError(f"{path}.kind: {kind!r} is no kind of stage, it has no {part}")
    return stage


def _kind_of(stage: Any, path: str) -> str:
    if not isinstance(stage, Mapping):
        raise ConfigError(f"{path}: found {stage!r}; expected a mapping with 'kind'")
    kind = stage.get("kind")
    if not isinstance(kind, str):
        problem = "missing" if kind is None else f"found {kind!r}"
        raise ConfigError(f"{path}.kind: {problem}; valid: {', '.join(kinds())}")
    return kind


def _with_defaults(content: Any, defaults: Mapping[str, Any]) -> Any:
    """A stage's config over the defaults of its kind; what is no config is returned as it is, and refused later."""
    kind = content.get("kind") if isinstance(content, Mapping) else None
    default = defaults.get(kind) if isinstance(kind, str) else None
    return configs.merge(default, content) if isinstance(default, Mapping) else content


def _expanded(raw: dict[str, Any], file: Path) -> dict[str, Any]:
    """`raw` with every name of a data set or method, and a file of labels, replaced by the content of its file."""
    stages = raw.get("stages")
    if not isinstance(stages, Mapping):
        raise ConfigError(f"{file}: stages: {'missing' if stages is None else f'found {stages!r}'}; expected a mapping")
    expanded = {}
    for name, stage in stages.items():
        path = f"stages.{name}"
        config: type[BaseModel] = stage_module(_kind_of(stage, path), path).Config
        expanded[name] = configs.expand(config, stage, FOLDERS, path, file)
    task = raw.get("task")
    if isinstance(task, Mapping) and "labels" in task:
        raw = {**raw, "task": {**task, "labels": labels.resolved(task["labels"], "task.labels", file)}}
    return {**raw, "stages": expanded}


def resolve(name: str, settings: Sequence[str] = (), seed: int | None = None) -> tuple[str, dict[str, Any]]:
    """The plain config of a pipeline: bases merged, names of files replaced, defaults and `--set` applied, no folds.

    Returns:
        The run's name and the config.

    Raises:
        ConfigError: a file is missing or wrong, or a setting leads nowhere.
    """
    file = configs.find(name, "pipelines")
    raw = configs.load(file, "pipelines")
    changes = [configs.parse_setting(setting) for setting in settings]
    if seed is not None:
        changes.append((["seed"], seed))
    for parts, value in changes:
        if parts[0] == "defaults":
            raw = configs.apply_setting(raw, parts, value)
    defaults = raw.pop("defaults", None) or {}
    if not isinstance(defaults, Mapping):
        raise ConfigError(f"{file}: defaults: found {defaults!r}; expected a mapping by kind")
    for kind in defaults:
        stage_module(str(kind), "defaults")
    if isinstance(raw.get("stages"), Mapping):
        raw["stages"] = {stage: _with_defaults(content, defaults) for stage, content in raw["stages"].items()}
    raw = _expanded(raw, file)
    for parts, value in changes:
        if parts[0] == "defaults":
            continue
        where = f"--set {'.'.join(parts)}"
        if parts[0] not in PipelineConfig.model_fields:
            raise ConfigError(f"{where}: unknown key {parts[0]!r}; {nearest(parts[0], PipelineConfig.model_fields)}")
        if parts[0] == "stages" and len(parts) > 1 and parts[1] not in raw["stages"]:
            raise ConfigError(f"{where}: no stage {parts[1]!r}; {nearest(parts[1], raw['stages'])}")
        raw = _expanded(configs.apply_setting(raw, parts, value), file)
    if "folds" in raw:
        raw = _expanded(folds.unfolded(raw), file)
    seeded = raw.get("seed", 0)
    return file.stem + (f"-seed{seeded}" if seeded else ""), raw


def references(node: Any, path: str = "") -> dict[str, Reference]:
    """Every reference below a config node, by its path in the config."""
    if isinstance(node, Reference):
        return {path: node}
    below: dict[str, Reference] = {}
    if isinstance(node, BaseModel):
        children = [(name, getattr(node, name)) for name in type(node).model_fields]
    elif isinstance(node, dict):
        children = [(str(name), child) for name, child in node.items()]
    elif isinstance(node, list | tuple):
        children = [(str(index), child) for index, child in enumerate(node)]
    else:
        return {}
    for name, child in children:
        below.update(references(child, f"{path}.{name}" if path else name))
    return below


def _check_references(stages: Mapping[str, Stage]) -> None:
    for stage in stages.values():
        for path, reference in stage.references.items():
            where = f"stages.{stage.name}.{path}"
            if reference.stage not in stages:
                raise ConfigError(f"{where}: no stage {reference.stage!r}; {nearest(reference.stage, stages)}")
            outputs = stages[reference.stage].module.OUTPUTS
            if reference.output is not None and not is_below(reference.output):
                raise ConfigError(
                    f"{where}: output {reference.output!r} leads out of the stage's folder; {nearest('', outputs)}"
                )
            if reference.output is not None and reference.output.split("/")[0] not in outputs:
                raise ConfigError(
                    f"{where}: stage {reference.stage!r} has no output {reference.output!r}; "
                    f"{nearest(reference.output, outputs)}"
                )


def _ordered(stages: Mapping[str, Stage]) -> dict[str, Stage]:
    """The stages so that each follows those it refers to, otherwise in the order of the YAML."""
    ordered: dict[str, Stage] = {}

    def visit(name: str, open_stages: tuple[str, ...]) -> None:
        if name in open_stages:
            circle = " -> ".join((*open_stages[open_stages.index(name) :], name))
            raise ConfigError(f"stages.{name}: refers to itself by way of {circle}; remove one of the references")
        if name not in ordered:
            for reference in stages[name].references.values():
                visit(reference.stage, (*open_stages, name))
            ordered[name] = stages[name]

    for name in stages:
        visit(name, ())
    return ordered


def load(name: str, settings: Sequence[str] = (), seed: int | None = None, *, remembered: bool = False) -> Pipeline:
    """Load and validate all of a pipeline: schema, components' options, references, and each stage's own `check`.

    Args:
        name: a pipeline of `configs/pipelines`, or a path that ends in `.yaml`.
        settings: `a.b=value`, applied last.
        seed: replaces the pipeline's seed.
        remembered: see `build`.

    Raises:
        ConfigError: the first thing that is wrong, with its path.
    """
    return build(*resolve(name, settings, seed), remembered=remembered)


def build(run: str, raw: dict[str, Any], *, remembered: bool = False) -> Pipeline:
    """Validate all of a pipeline's plain config, as `resolve` returns it and lock files hold it.

    With `remembered`, the checks that load torch are left out if this very config has passed them before, and it is
    remembered when it passes. They change nothing in the config.

    Raises:
        ConfigError: the first thing that is wrong, with its path.
    """
    top = validate(PipelineConfig, raw, "")
    stages = {}
    for stage_name, content in raw["stages"].items():
        path = f"stages.{stage_name}"
        kind = stage_module(content["kind"], path)
        shared = {"task": raw["task"], "seed": top.seed}
        for key in shared.keys() & content.keys():
            raise ConfigError(f"{path}.{key}: belongs at the top of a pipeline, once for all stages; move it there")
        runtime = content.get("runtime", {})
        if isinstance(runtime, Mapping):
            for key in sorted(runtime.keys() & LAUNCH):
                raise ConfigError(f"{path}.runtime.{key}: is the same for all stages of a launch; set runtime.{key}")
            runtime = configs.merge(raw.get("runtime", {}), runtime)
        content = configs.place_weights({**content, **shared, "runtime": runtime})
        config = validate(kind.Config, content, path)
        missing = tuple(file for file in configs.weights_files(content) if not file.is_file())
        stages[stage_name] = Stage(stage_name, kind, config, references(config), missing)
    if not stages:
        raise ConfigError("stages: empty; a pipeline needs at least one stage")
    key = validation_cache.cache_key(raw) if remembered else None
    if validation_cache.has_passed(key):
        ordered = _ordered(stages)
        consistency.check_target_labels(ordered)  # depends on links between folders, which are not in the key
        return Pipeline(run, raw, top.runtime, ordered, checked=False)
    pipeline = Pipeline(run, raw, top.runtime, check(stages))
    if not any(stage.missing for stage in stages.values()):
        validation_cache.remember(key)
    return pipeline


def check(stages: Mapping[str, Stage]) -> dict[str, Stage]:
    """The stages in their order, after all checks that go beyond the schema.

    Raises:
        ConfigError: the first thing that is wrong, with its path.
    """
    for stage in stages.values():
        check_components(stage.config, f"stages.{stage.name}")
    _check_references(stages)
    ordered = _ordered(stages)
    for stage in ordered.values():
        # A plan must be possible before the weights are there; a run refuses them as missing before any work.
        if hasattr(stage.module, "check") and not stage.missing:
            try:
                stage.module.check(stage.config)
            except ConfigError as error:
                prefix = f"stages.{stage.name}"
                raise ConfigError(str(error) if str(error).startswith(prefix) else f"{prefix}: {error}") from None
            except (RuntimeError, OverflowError) as error:
                # Nothing is allocated yet: torch refuses numbers that no memory could hold.
                raise ConfigError(
                    f"stages.{stage.name}.networks: cannot be built ({reason(error, 120)}); lower their numbers"
                ) from error
    consistency.check(ordered)
    return ordered
