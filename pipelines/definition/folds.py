"""`folds` of a pipeline: what depends on a fold is repeated for each, as in leave-one-out protocols.

A fold gives values to names. A stage takes one by `{fold: NAME}` in place of an option. Such a stage, and every stage
that refers to one, becomes as many stages, called `STAGE-FOLD`; all others run once.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from segda.config.lookup import nearest
from segda.errors import ConfigError


def unfolded(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A pipeline's plain config without `folds`, each stage that depends on a fold repeated in its place.

    Raises:
        ConfigError: the folds do not give values to the same names, or a stage asks for another name.
    """
    rest, folds = {key: value for key, value in raw.items() if key != "folds"}, raw.get("folds")
    if not folds:
        return rest
    names = _value_names(folds)
    stages: Mapping[str, Any] = raw["stages"]
    for stage, content in stages.items():
        for name in _asked(content):
            if name not in names:
                raise ConfigError(f"stages.{stage}: {{fold: {name}}}: no such value; {nearest(str(name), names)}")
    repeated = _repeated(stages)
    if not repeated:
        raise ConfigError(f"folds: no stage takes a value of them; write `{{fold: {next(iter(names))}}}` in one")
    result: dict[str, Any] = {}
    for stage, content in stages.items():
        copies = {f"{stage}-{fold}": _of_fold(content, fold, folds[fold], repeated) for fold in folds}
        for name, copy in (copies if stage in repeated else {stage: content}).items():
            if name in result:
                raise ConfigError(f"stages.{name}: is the name of a stage of a fold, too; rename one of them")
            result[name] = copy
    return {**rest, "stages": result}


def _value_names(folds: Any) -> list[str]:
    """The names that every fold gives a value."""
    if not isinstance(folds, Mapping) or not all(isinstance(values, Mapping) and values for values in folds.values()):
        raise ConfigError("folds: expected a mapping of fold names to values by name, such as `a: {score: [a_*]}`")
    first, names = next((fold, list(values)) for fold, values in folds.items())
    for fold, values in folds.items():
        if not re.fullmatch(r"\w+", str(fold)):
            raise ConfigError(f"folds.{fold}: the name is part of stages' names; use letters, digits and _")
        if set(values) != set(names):
            raise ConfigError(f"folds.{fold}: gives values to {', '.join(values)}, but {first} to {', '.join(names)}")
    return names


def _mappings(node: Any) -> Iterator[Mapping[str, Any]]:
    """A config node and all below it that are mappings."""
    if isinstance(node, Mapping):
        yield node
    for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _mappings(child)


def _asked(node: Any) -> list[Any]:
    """The names of values that a config node takes from its fold."""
    return [each["fold"] for each in _mappings(node) if list(each) == ["fold"]]


def _referred(node: Any) -> set[str]:
    """The names of stages that a config node refers to."""
    return {each["from"] for each in _mappings(node) if isinstance(each.get("from"), str)}


def _repeated(stages: Mapping[str, Any]) -> set[str]:
    """The stages that take a value of a fold, or refer to one that does."""
    repeated = {name for name, content in stages.items() if _asked(content)}
    while more := {name for name in stages.keys() - repeated if repeated & _referred(stages[name])}:
        repeated |= more
    return repeated


def _of_fold(node: Any, fold: str, values: Mapping[str, Any], repeated: set[str]) -> Any:
    """A config node with a fold's values, and references to the stages of the fold."""
    if isinstance(node, Mapping):
        if list(node) == ["fold"]:
            return values[node["fold"]]
        own = {key: _of_fold(child, fold, values, repeated) for key, child in node.items()}
        origin = node.get("from")
        return {**own, "from": f"{origin}-{fold}"} if isinstance(origin, str) and origin in repeated else own
    return [_of_fold(child, fold, values, repeated) for child in node] if isinstance(node, list) else node
