"""JSON schemas (draft 2020-12) of pipelines, methods and data sets: for editors, and for the reference of all keys.

`definitions` has every part of a config by name, as it is when nothing is left to a `base:`: `stage.align`,
`encoder.smp`, `term.cycle`, `reader.folder`. `schema` is what a file of one kind is checked by. Files are merged over
others, so there a key may be missing, or null, which removes what the other one says.
"""

import json
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from pipelines.definition import components, docstrings, loading
from pipelines.definition.labels import DESCRIPTION
from pipelines.definition.schema import DataConfig, NetworksConfig, RuntimeConfig
from segda.config import loading as configs
from segda.config.lookup import module, names
from segda.config.validation import options_model
from segda.label_space import own

DRAFT = "https://json-schema.org/draft/2020-12/schema"

#: Kind of component to its package, and the parameters of `build` that code passes.
COMPONENTS: dict[str, tuple[str, Collection[str]]] = {
    "task": ("segda.tasks", ("space",)),
    "reader": ("segda.data.readers", components.READER),
    "term": ("segda.objectives.terms", ()),
    "transfer": ("segda.transfer", components.TRANSFER),
    "encoder": ("segda.networks.encoders", ()),
    "head": ("segda.networks.heads", components.HEAD),
    "decoder": ("segda.networks.decoders", components.DECODER),
    "discriminator": ("segda.networks.discriminators", components.DISCRIMINATOR),
    "sampler": ("segda.networks.samplers", components.SAMPLER),
    "rebuilder": ("segda.networks.rebuilders", components.REBUILDER),
}
_BASE = {"type": "string", "description": "a file of the same kind, by its name or path, that this one is laid over"}
_DOTTED = {"pattern": r"\.", "description": "code of a package that the command line allows by --plugin"}
_PLUGIN = {"patternProperties": {r"\.": {"type": "object"}}}
_REMOVED = {"type": "null", "description": "removes what a base says"}
_UNKNOWN = {
    "type": "null",
    "errorMessage": "no such option; null, which would remove a base's, is all that may be here",
}
_FOLD = {
    "type": "object",
    "description": "takes the value of this name from the pipeline's folds",
    "properties": {"fold": {"type": "string"}},
    "required": ["fold"],
    "additionalProperties": False,
}

Schema = dict[str, Any]


class _Generator(GenerateJsonSchema):
    """pydantic's, with what docstrings say of each key."""

    def model_schema(self, schema: Any) -> Schema:
        """The schema of a model."""
        return _described(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: Any) -> Schema:
        """The schema of a dataclass."""
        return _described(super().dataclass_schema(schema), schema["cls"])


def _described(schema: Schema, component: type | Callable[..., Any]) -> Schema:
    texts = docstrings.options(component)
    for name, option in schema.get("properties", {}).items():
        if name in texts:
            option["description"] = texts[name]
        option.pop("title", None)
        if isinstance(option.get("default"), dict):
            del option["default"]  # its parts have theirs
    rest = {key: value for key, value in schema.items() if key not in ("title", "description")}
    return {"description": docstrings.summary(component), **rest}


@cache
def _everything() -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for kind, (package, passed) in COMPONENTS.items():
        for name in names(package):
            found[f"{kind}.{name}"] = _component(found, package, name, passed)
    for name in loading.kinds():
        stage = module("pipelines.stages", name)
        own_schema = _of(found, stage.Config)
        for key in ("task", "seed"):
            own_schema["properties"].pop(key, None)
            own_schema["required"] = [each for each in own_schema["required"] if each != key]
        own_schema["properties"] |= {"kind": {"const": name}, "runtime": _ref("runtime_of_a_stage")}
        found[f"stage.{name}"] = {**own_schema, "description": docstrings.summary(stage)}
    found["label_space"] = _of(found, options_model(own, ()), own)
    found["task"] = _choice(found, "task", "what is learnt: the task, and its classes")
    found["photometry"] = _of(found, options_model(_photometry(), ()), _photometry())
    found["RuntimeConfig"] = _of(found, RuntimeConfig)
    launch = {key: value for key, value in found["RuntimeConfig"]["properties"].items() if key not in loading.LAUNCH}
    found["runtime_of_a_stage"] = {**found["RuntimeConfig"], "properties": launch}
    _complete(found)
    return found


def definitions() -> dict[str, Schema]:
    """Every part of a config by name, each with its description, keys, defaults and what is required.

    Names are `stage.KIND`, `reader.NAME`, `term.NAME`, `encoder.NAME` and so on for what `COMPONENTS` lists; without
    the dot they are a choice among those (`encoder`, `stage`), and `any_encoder` is what any of them may have; all
    others are classes of the configs.
    """
    found: dict[str, Schema] = json.loads(json.dumps(_everything()))
    return found


def _of(found: dict[str, Schema], model: type[BaseModel], component: Any = None) -> Schema:
    """A model's schema; what it consists of is added to `found`."""
    schema = model.model_json_schema(schema_generator=_Generator)
    for name, part in schema.pop("$defs", {}).items():
        found.setdefault(name, part)
    return schema if component is None else _described(schema, component)


def _component(found: dict[str, Schema], package: str, name: str, passed: Collection[str]) -> Schema:
    component = module(package, name)
    builder = component.build
    schema = _of(found, options_model(builder, tuple(sorted(passed))), builder)
    schema["description"] = docstrings.summary(component)
    if package == COMPONENTS["term"][0]:
        return schema
    before: Schema = {"name": {"const": name}}
    required = ["name", *schema.get("required", ())]
    if package == COMPONENTS["reader"][0]:
        of_data = _of(found, DataConfig)["properties"]
        described = _of(found, options_model(own, ()), own)["properties"]
        before |= {key: value for key, value in of_data.items() if key != "name"}
        before |= {key: described[key] for key in DESCRIPTION} | {"base": _BASE}
        required.append("root")
    if package == COMPONENTS["task"][0]:
        before["labels"] = _ref("labels")
        required.append("labels")
    return {**schema, "properties": before | schema.get("properties", {}), "required": required}


def _photometry() -> Callable[..., Any]:
    from segda.data.augmentation.photometry import Photometry

    return Photometry


def _merged(options: list[Schema]) -> Schema:
    """One schema for an option that several components have."""
    about = list(dict.fromkeys(option.get("description", "") for option in options))
    rest = []
    for option in options:
        plain = {key: value for key, value in option.items() if key not in ("description", "default")}
        rest += [plain] if plain not in rest else []
    return {
        **({"description": about[0]} if about != [""] and len(about) == 1 else {}),
        **(rest[0] if len(rest) == 1 else {"anyOf": rest}),
    }


def _choice(found: dict[str, Schema], kind: str, about: str, key: str = "name") -> Schema:
    """One of the components of a kind, by its name; without a name, which a base may have, the keys of any."""
    every = {name.partition(".")[2]: part for name, part in found.items() if name.startswith(f"{kind}.")}
    options: dict[str, list[Schema]] = {}
    for part in every.values():
        for option, about_it in part["properties"].items():
            if option != key:
                options.setdefault(option, []).append(about_it)
    found[f"any_{kind}"] = {
        "description": f"keys of a {kind} whose {key} a base has",
        "properties": {option: _merged(given) for option, given in sorted(options.items())},
        "additionalProperties": False,
        "type": "object",
    }
    return {
        "type": "object",
        "description": about,
        "properties": {key: {"anyOf": [{"enum": list(every)}, _DOTTED]}},
        "allOf": [
            *(
                {"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": _ref(f"{kind}.{name}")}
                for name in every
            ),
            {"if": {"not": {"required": [key]}}, "then": _ref(f"any_{kind}")},
        ],
    }


def _complete(found: dict[str, Schema]) -> None:
    """Replace what is open in the classes, such as any component, by what there is."""
    spaces = names("segda.label_spaces")
    found["labels"] = {
        "description": "the classes: a label space by its name, a YAML file of your own, or what that would hold",
        "anyOf": [{"enum": spaces}, {"type": "string", "pattern": r"\.ya?ml$"}, _ref("label_space")],
    }
    titles = {
        "reader": "a data set: its reader, files and size",
        "encoder": "from an image to a pyramid of features",
        "head": "from features to class scores",
        "decoder": "from features to an image",
        "discriminator": "tells two kinds of inputs apart",
        "sampler": "from noise to images",
        "rebuilder": "rebuilds masked features",
        "transfer": "gives an image the look of another one, without training",
    }
    for kind, about in titles.items():
        found[kind] = _choice(found, kind, about)
    found["stage"] = _choice(found, "stage", "one stage; `kind` says what it does", "kind")
    networks = found["NetworksConfig"]["properties"]
    for name in NetworksConfig.model_fields.keys() - {"discriminators"}:
        networks[name] = _ref(name)
    networks["discriminators"]["additionalProperties"] = _ref("discriminator")
    networks["discriminators"]["propertyNames"].pop("title", None)
    method = found["MethodConfig"]
    terms = {name: _ref(f"term.{name}") for name in names(COMPONENTS["term"][0])}
    about = method["properties"]["terms"].get("description", "")
    method["properties"] |= {
        "base": _BASE,
        "terms": {
            "type": "object", "description": about, "properties": terms, "additionalProperties": False, **_PLUGIN,
        },
        "transfer": _ref("transfer"),
    }  # fmt: skip
    found["AugmentConfig"]["properties"]["photometry"] |= {"anyOf": [_ref("photometry"), {"type": "null"}]}
    found["method"] = method
    for name, kind, folder in (("DataConfig", "reader", "data"), ("MethodConfig", "method", "methods")):
        about = f"the name of a file in configs/{folder}, or the path of a YAML file"
        shipped = sorted(path.stem for path in configs.shipped(folder).glob("*.yaml"))
        found[name] = {"anyOf": [{"type": "string", "description": about, "examples": shipped}, _ref(kind)]}
    # Two components wrap another one.
    found["encoder.bottleneck"]["properties"]["encoder"] |= _ref("encoder")
    found["head.hrda"]["properties"]["head"] |= _ref("head")
    del found["ComponentConfig"]


def schema(kind: str) -> Schema:
    """The JSON schema of the files in `configs/<kind>`: `pipelines`, `methods` or `data`."""
    found = definitions()
    top = {"pipelines": _pipeline, "methods": _method, "data": _data}[kind](found)
    other = {"anyOf": [_REMOVED, _FOLD]} if kind == "pipelines" else _REMOVED
    parts = {
        **{name: _loosened(part) for name, part in found.items()},
        "removed": _REMOVED,
        "unknown": _UNKNOWN,
        "other": other,
    }
    used: dict[str, Schema] = {}
    _collect(top, parts, used)
    return {"$schema": DRAFT, "title": f"segda: {kind}", **top, "$defs": dict(sorted(used.items()))}


def _pipeline(found: Mapping[str, Schema]) -> Schema:
    defaults = {name: _ref(f"stage.{name}") for name in loading.kinds()}
    top = {
        "base": _BASE,
        "title": {"type": "string", "description": "the pipeline's name in tables and on the report's page"},
        "task": _ref("task"),
        "seed": {"type": "integer", "minimum": 0, "default": 0, "description": "of all random numbers"},
        "runtime": _ref("RuntimeConfig"),
        "stages": {
            "type": "object",
            "description": "what is run: name to stage, in any order",
            "additionalProperties": {"anyOf": [_ref("stage"), _ref("removed")]},
        },
        "defaults": {
            "type": "object",
            "description": "for each kind of stage, what its stages are laid over",
            "properties": defaults,
            "additionalProperties": False,
            **_PLUGIN,
        },
        "folds": {
            "type": ["object", "null"],
            "description": "fold to values by name; stages that take one as {fold: NAME} are repeated for each fold; "
            "null drops a base's",
            "additionalProperties": {"type": "object"},
        },
    }
    needed = [
        {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": {"required": required}}
        for name in loading.kinds()
        if (required := found[f"stage.{name}"]["required"])
    ]
    whole = {"properties": {"stages": {"additionalProperties": {"required": ["kind"], "allOf": needed}}}}
    return {
        "type": "object",
        "properties": top,
        "additionalProperties": False,
        "allOf": [
            {"if": {"not": {"required": ["base"]}}, "then": {"required": ["task", "stages"]}},
            {"if": {"not": {"anyOf": [{"required": ["base"]}, {"required": ["defaults"]}]}}, "then": whole},
        ],
    }


def _method(found: Mapping[str, Schema]) -> Schema:
    weighted = {"properties": {"terms": {"additionalProperties": {"required": ["weight"]}}}}
    one = {"oneOf": [{"required": ["terms"]}, {"required": ["transfer"]}]}
    return {**_ref("method"), "if": {"not": {"required": ["base"]}}, "then": {"allOf": [one, weighted]}}


def _data(found: Mapping[str, Schema]) -> Schema:
    """A data set, or a label space alone, which has no root."""
    readers = {"properties": {"name": {"enum": names(COMPONENTS["reader"][0])}}, "required": ["name"]}
    whole = {"if": {"not": {"required": ["base"]}}, "then": {"required": ["name", "root"]}}
    return {
        "type": "object",
        "if": {"anyOf": [{"required": ["root"]}, {"required": ["base"]}, readers]},
        "then": {"allOf": [_ref("reader"), whole]},
        "else": _ref("label_space"),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _loosened(part: Schema) -> Schema:
    """A definition for files that are merged: nothing is required, and null removes what a base has.

    A key that a component does not have is not wrong where it is null, since the base may name another component.
    """
    loose = dict(part)
    if "properties" in part:
        loose["properties"] = {
            name: _or_other(_loosened(option)) if name not in ("kind", "name", "from", "fold") else option
            for name, option in part["properties"].items()
        }
        if "from" not in part["properties"]:
            loose.pop("required", None)
        if part.get("additionalProperties") is False and "const" in part["properties"].get("name", ()):
            loose["additionalProperties"] = _ref("unknown")
    if isinstance(part.get("additionalProperties"), dict):
        loose["additionalProperties"] = _or_other(part["additionalProperties"])
    return loose


def _or_other(option: Schema) -> Schema:
    about: Schema = {key: option[key] for key in ("description", "default") if key in option}
    rest: Schema = {key: value for key, value in option.items() if key not in about}
    return {**about, "anyOf": [*(rest["anyOf"] if list(rest) == ["anyOf"] else [rest]), _ref("other")]}


def _collect(node: Any, parts: Mapping[str, Schema], used: dict[str, Schema]) -> None:
    """Add to `used` the definitions that a node refers to, and those that they refer to."""
    if isinstance(node, list):
        for each in node:
            _collect(each, parts, used)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            name = str(value).removeprefix("#/$defs/")
            if key == "$ref" and name not in used:
                used[name] = parts[name]
                _collect(parts[name], parts, used)
            _collect(value, parts, used)


def text(kind: str) -> str:
    """The schema as the text of a file, a line for each definition."""
    whole = schema(kind)
    parts = ",\n".join(f" {json.dumps(name)}: {json.dumps(part)}" for name, part in whole.pop("$defs").items())
    return f'{json.dumps(whole)[:-1]}, "$defs": {{\n{parts}\n}}}}\n'
