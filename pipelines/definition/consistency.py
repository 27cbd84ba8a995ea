"""Do the stages of a pipeline fit together: what their labels train, and which networks they expect of one another?"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.definition.schema import DataConfig, MethodConfig, data_fields
from segda.config import loading as configs
from segda.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.definition.pipeline import Stage

LEARNING = ("supervise", "translate", "align", "export")
"""Kinds that learn from labels, or hand them on to a stage that does. Scoring and showing are free to open them."""

SOUGHT = {"rows": "head", "before": "head", "after": "head", "translator": "decoder.target", "judge": "head"}
"""Field of a reference to the network that it is followed for."""


def check(stages: Mapping[str, "Stage"]) -> None:
    """Check the stages against one another.

    Args:
        stages: validated, each by itself.

    Raises:
        ConfigError: a stage would learn from the labels of a target set without being an oracle, or looks for a network
            in a stage that trains none.
    """
    check_target_labels(stages)
    _check_networks(stages)


def _identity(data: DataConfig) -> tuple[Any, ...]:
    """What makes two data sets the same, whatever size they are read at."""
    # A link that leads round in a circle is no folder, which is for opening it to say.
    root: Any = os.path.realpath(configs.data_path(data.root)) if isinstance(data.root, str) else data.root
    return data.name, root, data.split


def check_target_labels(stages: Mapping[str, "Stage"]) -> None:
    """Refuse stages that would learn from the labels of a target set without being an oracle.

    Raises:
        ConfigError: names the stage and the data set.
    """
    targets: dict[tuple[Any, ...], str] = {}
    for stage in stages.values():
        target = getattr(stage.config, "target", None)
        if isinstance(target, DataConfig):
            targets.setdefault(_identity(target), stage.name)
    for stage in stages.values():
        method = getattr(stage.config, "method", None)
        oracle = isinstance(method, MethodConfig) and method.labels == "target"
        if stage.kind not in LEARNING or oracle:
            continue
        for field, (data, labelled) in data_fields(stage.config).items():
            adapting = targets.get(_identity(data)) if labelled else None
            if adapting is not None:
                where = data.root if isinstance(data.root, str) else f"output of {data.root.stage}"
                remedy = "use method: oracle" if stage.kind == "supervise" else "use the source set"
                raise ConfigError(
                    f"stages.{stage.name}.{field}: {data.name} ({where}, split {data.split}) is the target of stage "
                    f"{adapting!r}, so its labels must train nothing but an oracle; {remedy}, or another split"
                )


def _check_networks(stages: Mapping[str, "Stage"]) -> None:
    for stage in stages.values():
        for path, reference in stage.references.items():
            wanted = SOUGHT.get(path.split(".")[0])
            method = getattr(stages[reference.stage].config, "method", None)
            if wanted is None or not isinstance(method, MethodConfig):
                continue
            if not _offers(stages[reference.stage], wanted):
                offering = [name for name, other in stages.items() if _offers(other, wanted)]
                choices = f"refer to one that does: {', '.join(offering)}" if offering else "give it another method"
                raise ConfigError(
                    f"stages.{stage.name}.{path}: stage {reference.stage!r} trains no {wanted.split('.')[0]} (method "
                    f"{method.title!r}); {choices}"
                )


def _offers(stage: "Stage", wanted: str) -> bool:
    from segda.objectives import objective as objectives

    method = getattr(stage.config, "method", None)
    if not isinstance(method, MethodConfig) or not method.terms:
        return False
    return wanted in objectives.needs(objectives.build(method.terms), method.frozen)
