"""Check that stages fit together: whose labels train them, and which networks they expect of one another."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.definition.schema import DataConfig, MethodConfig, data_fields
from segda.config import loading as configs
from segda.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.definition.pipeline import Stage

LEARNING = ("supervise", "translate", "align", "coral", "export")
"""Kinds that learn from labels, or pass them on to a stage that does. Scoring and reporting may open any labels."""

NEEDED = {"rows": "head", "before": "head", "after": "head", "translator": "decoder.target", "judge": "head",
          "match": "encoder", "init": "encoder", "average_with": "encoder"}  # fmt: skip
"""Field of a reference to the network that the referenced stage must train."""


def check(stages: Mapping[str, "Stage"]) -> None:
    """Check the stages, each validated by itself, against one another.

    Raises:
        ConfigError: a stage would learn from the labels of a target set without being an oracle, or needs a network of
            a stage that does not train it, or an average is over evaluations of different rows.
    """
    check_target_labels(stages)
    _check_networks(stages)
    _check_averages(stages)


def _identity(data: DataConfig) -> tuple[Any, ...]:
    """Equal for equal data sets, whatever size they are resized to."""
    # `realpath` accepts circular links; opening the data set reports them.
    root: Any = os.path.realpath(configs.data_path(data.root)) if isinstance(data.root, str) else data.root
    return data.name, root, data.split


def check_target_labels(stages: Mapping[str, "Stage"]) -> None:
    """Refuse stages that would learn the labels of a target set, or from a stage that did, without being an oracle.

    Raises:
        ConfigError: names the stage and the data set, or the oracle.
    """
    targets: dict[tuple[Any, ...], str] = {}
    for stage in stages.values():
        target = getattr(stage.config, "target", None)
        if isinstance(target, DataConfig):
            targets.setdefault(_identity(target), stage.name)
    for stage in stages.values():
        if stage.kind not in LEARNING or _is_oracle(stage):
            continue
        for path, reference in stage.references.items():
            if _is_oracle(stages[reference.stage]):
                raise ConfigError(
                    f"stages.{stage.name}.{path}: stage {reference.stage!r} learned the labels of a target set, which "
                    "must reach nothing but an oracle; refer to a stage that did not"
                )
        for field, (data, labelled) in data_fields(stage.config).items():
            adapting = targets.get(_identity(data)) if labelled else None
            if adapting is not None:
                where = data.root if isinstance(data.root, str) else f"output of {data.root.stage}"
                remedy = "use method: oracle" if stage.kind == "supervise" else "use the source set"
                raise ConfigError(
                    f"stages.{stage.name}.{field}: {data.name} ({where}, split {data.split}) is the target of stage "
                    f"{adapting!r}, so its labels must train nothing but an oracle; {remedy}, or another split"
                )


def _is_oracle(stage: "Stage") -> bool:
    method = getattr(stage.config, "method", None)
    return isinstance(method, MethodConfig) and method.labels == "target"


def _check_networks(stages: Mapping[str, "Stage"]) -> None:
    for stage in stages.values():
        if "." in stage.kind:  # outside code gives these names other meanings
            continue
        for path, reference in stage.references.items():
            network, origin = NEEDED.get(path.split(".")[0]), stages[reference.stage]
            if network is not None and not _offers(origin, network):
                method = getattr(origin.config, "method", None)
                how = f"method {method.title!r}" if isinstance(method, MethodConfig) else f"kind {origin.kind}"
                offering = [name for name, other in stages.items() if _offers(other, network)]
                choices = f"refer to one that does: {', '.join(offering)}" if offering else "give it another method"
                raise ConfigError(
                    f"stages.{stage.name}.{path}: stage {reference.stage!r} trains no {network.split('.')[0]} ({how}); "
                    f"{choices}"
                )


def _check_averages(stages: Mapping[str, "Stage"]) -> None:
    for stage in stages.values():
        if stage.kind != "average":
            continue
        first = next(iter(stage.references.values())).stage
        seen: set[str] = set()
        for path, reference in stage.references.items():
            where, scored = f"stages.{stage.name}.{path}: stage {reference.stage!r}", _rows(stages[reference.stage])
            if reference.stage in seen:
                raise ConfigError(f"{where} is there twice; name each evaluation once, of folds as STAGE-FOLD")
            if not scored:
                raise ConfigError(f"{where} scores nothing; expected a stage of kind evaluate")
            if scored != _rows(stages[first]):
                expected = ", ".join(_rows(stages[first]))
                raise ConfigError(f"{where} has the rows {', '.join(scored)}; expected {expected}, as {first!r} has")
            seen.add(reference.stage)


def _rows(stage: "Stage") -> list[str]:
    """The rows that a stage scores."""
    return list(getattr(stage.config, "rows", {}))


def _offers(stage: "Stage", network: str) -> bool:
    from segda.objectives import objective as objectives

    method = getattr(stage.config, "method", None)
    if not isinstance(method, MethodConfig) or not method.terms:
        return False
    return network in objectives.needs(objectives.build(method.terms), method.frozen)
