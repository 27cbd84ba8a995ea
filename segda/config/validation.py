"""Strict validation of configs: the first error, as one line with its path and the nearest valid name."""

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from segda.config.lookup import nearest, nearest_of
from segda.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
Located = tuple[tuple[int | str, ...], tuple[str, ...], Mapping[str, Any]]
"""Keys in the YAML, members of unions on the way, pydantic's error."""

_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "none_required": "null",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "dataclass_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "literal_error": "{expected}",
    "finite_number": "a finite number",
}


def _described(value: Any) -> str:
    """`value` for a message: as YAML users write it, and short."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _real_path(location: tuple[int | str, ...], raw: Any, kind: str) -> tuple[tuple[int | str, ...], tuple[str, ...]]:
    """Split pydantic's location into keys of the YAML and names of union members, which no user wrote."""
    keys: list[int | str] = []
    members: list[str] = []
    node = raw
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if isinstance(node, Mapping) and str(part) in node:
            keys.append(part)
            node = node[str(part)]
        elif isinstance(node, list) and isinstance(part, int):
            keys.append(part)
            node = node[part] if part < len(node) else None
        elif last and kind in ("missing", "missing_argument"):
            keys.append(part)
        elif part != "[key]":
            members.append(str(part))
    return tuple(keys), tuple(members)


def _expectation(error: Mapping[str, Any]) -> str:
    """The expected value of pydantic's error, in words of YAML."""
    context = error.get("ctx", {})
    if error["type"] in _EXPECTED:
        return _EXPECTED[error["type"]].format(**context)
    message = str(error["msg"])
    for prefix in ("Value error, ", "Assertion failed, ", "Input should be "):
        message = message.removeprefix(prefix)
    return message[0].lower() + message[1:]


def _fields_at(model: type[BaseModel], keys: tuple[int | str, ...], members: tuple[str, ...]) -> list[str]:
    """The valid keys of the node of `model` that `keys` leads to; empty when the type there is not a model."""
    candidates: list[Any] = [model]
    for key in keys:
        below: list[Any] = []
        for candidate in candidates:
            fields = field_annotations(candidate)
            if fields:
                below += [fields[str(key)]] if str(key) in fields else []
            else:
                below += get_args(candidate)
        candidates = [leaf for annotation in below for leaf in leaves(annotation)]
    named = [leaf for leaf in candidates if getattr(leaf, "__name__", "") in members]
    return sorted({name for leaf in named or candidates for name in field_annotations(leaf)})


def field_annotations(kind: Any) -> dict[str, Any]:
    """Key in YAML to annotation, for pydantic models and dataclasses; empty for everything else."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__"):
        parameters = inspect.signature(kind, eval_str=True).parameters
        return {name: parameter.annotation for name, parameter in parameters.items()}
    return {}


def leaves(annotation: Any) -> list[Any]:
    """The members of a union, themselves not unions; the annotation alone when it is none."""
    if get_origin(annotation) in (Union, UnionType):
        return [leaf for member in get_args(annotation) for leaf in leaves(member)]
    return [annotation]


def _most_specific(located: list[Located]) -> Located:
    """The one error to report: of a union only the member that was meant, and an unknown key before a missing one."""
    outside = [entry for entry in located if not entry[1]]
    if not outside:
        of_member: dict[str, list[Located]] = {}
        for entry in located:
            of_member.setdefault(entry[1][0], []).append(entry)
        # The member that was meant accepts the value's form, so its errors are deeper, and has the fewest.
        outside = min(of_member.values(), key=lambda entries: (-max(len(keys) for keys, _, _ in entries), len(entries)))
    return next((entry for entry in outside if entry[2]["type"] in _UNKNOWN_KEY), outside[0])


def _misspelt(raw: Any, keys: tuple[int | str, ...], known: Collection[str]) -> str | None:
    """The key of a mapping, unknown to its model, that was meant to be the missing one at the end of `keys`."""
    node = raw
    for key in keys[:-1]:
        node = node[key if isinstance(node, list) else str(key)]
    unknown = [str(name) for name in node if str(name) not in known] if isinstance(node, Mapping) else []
    return nearest_of(str(keys[-1]), unknown, cutoff=0.6)


def _one_line(
    failure: ValidationError, model: type[BaseModel], raw: Any, path: str, elsewhere: Collection[str] = ()
) -> str:
    """The most specific of pydantic's errors, as `path: found ...; expected ...`."""
    errors = failure.errors(include_url=False)
    located: list[Located] = [(*_real_path(each["loc"], raw, each["type"]), each) for each in errors]
    keys, members, error = _most_specific(located)
    kind = error["type"]
    dotted = ".".join([path, *map(str, keys)] if path else map(str, keys)) or "config"
    if kind in _UNKNOWN_KEY:
        valid = _fields_at(model, keys[:-1], members)
        return f"{dotted}: unknown key; {nearest(str(keys[-1]), {*valid, *(elsewhere if len(keys) == 1 else ())})}"
    if kind in ("missing", "missing_argument"):
        misspelt = _misspelt(raw, keys, {*_fields_at(model, keys[:-1], members), *elsewhere})
        if misspelt is not None:
            wrong = dotted[: -len(str(keys[-1]))] + misspelt
            return f"{wrong}: unknown key; did you mean {str(keys[-1])!r}?"
        return f"{dotted}: missing; it has no default, so give it a value"
    if kind == "literal_error" and isinstance(error["input"], str):
        valid = [choice.strip().strip("'") for choice in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
        suggestion = nearest(error["input"], valid)
        return f"{dotted}: found {_described(error['input'])}; expected {error['ctx']['expected']}; {suggestion}"
    if kind == "value_error" and not keys:
        return f"{dotted}: {_expectation(error)}"
    expected = [_expectation(other) for its_keys, _, other in located if its_keys == keys]
    remedy = "; quote it" if kind == "string_type" and isinstance(error["input"], bool | int | float) else ""
    if remedy and keys[-2:-1] == ("classes",) and not str(keys[-1]).isdigit():
        remedy = f"; an id stands before its name: {{{_described(error['input'])}: {keys[-1]}}}"
    return f"{dotted}: found {_described(error['input'])}; expected {' or '.join(dict.fromkeys(expected))}{remedy}"


def validate(model: type[Model], raw: Any, path: str, elsewhere: Collection[str] = ()) -> Model:
    """The config that `raw`, plain data at `path` of a YAML, describes. Nothing is converted: `"5"` is no number.

    `elsewhere` are keys that stand beside those of `raw` in the YAML, which an unknown key may have been meant to be.

    Raises:
        ConfigError: the first error, in one line.
    """
    text = json.dumps(raw)
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as failure:
        raise ConfigError(_one_line(failure, model, json.loads(text), path, elsewhere)) from None


def validate_options(
    builder: Callable[..., Any],
    options: Mapping[str, Any],
    path: str,
    given: Collection[str] = (),
    elsewhere: Collection[str] = (),
) -> dict[str, Any]:
    """The options that a YAML sets at `path`, without `name`, typed as the signature of the component's `build` says.

    A YAML may not set the `given` parameters, such as `channels`, which code passes; for `elsewhere` see `validate`.

    Raises:
        ConfigError: unknown option, wrong type, or a missing option without default.
    """
    valid = validate(options_model(builder, tuple(sorted(given))), dict(options), path, elsewhere)
    return {name: getattr(valid, name) for name in valid.model_fields_set}


@lru_cache(maxsize=256)
def options_model(builder: Callable[..., Any], given: tuple[str, ...]) -> type[BaseModel]:
    """The signature of `builder` as a model, made once."""
    fields: dict[str, Any] = {}
    extra = "forbid"
    for name, parameter in inspect.signature(builder, eval_str=True).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            # `**options: Unpack[SomeTypedDict]` names its options, any other `**options` takes all.
            typed = next(filter(is_typeddict, get_args(parameter.annotation)), None)
            extra = "allow" if typed is None else "forbid"
            options = get_type_hints(typed) if typed else {}
            fields |= {option: (kind, None) for option, kind in options.items() if option not in given}
        elif name not in given and parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
            fields[name] = (annotation, ... if parameter.default is parameter.empty else parameter.default)
    config = ConfigDict(extra=extra, arbitrary_types_allowed=True, protected_namespaces=())  # type: ignore[typeddict-item]
    return create_model("Options", __config__=config, **fields)
