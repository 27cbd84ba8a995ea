"""The pages of docs/reference/, which nobody writes by hand: every command, every key of a config, every docstring.

docs/conf.py calls `write` before each build of the site.
"""

import argparse
import importlib
import json
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import segda
import segda.losses
import segda.metrics
import segda.objectives.terms
from pipelines.command_line import parser
from pipelines.definition import json_schema
from segda.files import write_whole

#: What public functions return.
RETURNED = (
    "pipelines.sharing.predictor.LoadedPredictor",
    "pipelines.from_python.FinishedRun",
    "segda.report.scores.Scores",
    "segda.objectives.method.Method",
    "segda.objectives.method.StepObjective",
)
EVERYWHERE = ("help", "debug", "plugin")
#: Kinds of definitions of the schema, with their headings.
SECTIONS = {
    "stage": "Stages", "task": "Tasks", "reader": "Readers of data sets", "term": "Terms", "encoder": "Encoders",
    "head": "Heads", "decoder": "Decoders", "discriminator": "Discriminators", "sampler": "Samplers",
    "rebuilder": "Rebuilders", "transfer": "Transfers",
}  # fmt: skip
#: A choice among the definitions of a kind, or a config of its own: where to read on.
CHOICES = {
    **{kind: f"[{title.lower()}](#{title.lower().replace(' ', '-')})" for kind, title in SECTIONS.items()},
    "DataConfig": "a data set's name, or [a reader's keys](#readers-of-data-sets)",
    "MethodConfig": "a method's name, or [a method](#a-method)",
    "labels": "a label space's name, a YAML file, or [label_space](#label_space)",
    "method": "[a method](#a-method)",
    "removed": "",
}
TYPES = {
    "integer": "whole number", "number": "number", "string": "text", "boolean": "`true`, `false`", "null": "`null`",
    "object": "keys",
}  # fmt: skip
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def write(folder: Path) -> None:
    """Write the pages into a folder; files that are there already are replaced."""
    pages = {
        "commands": commands(),
        "keys": keys(),
        "python": python(),
        "terms": terms(),
        "losses": modules("Losses and metrics", segda.losses, segda.metrics),
    }
    for name, text in pages.items():
        write_whole(folder / f"{name}.md", text.encode(), durable=False)


def commands() -> str:
    """Every command with its arguments, from the parser that the command line uses."""
    parts = [
        "# Commands\n",
        "All take `--help`, `--debug` (show the traceback of an error) and `--plugin PACKAGE` (let configs name\n"
        "components of that package).\n",
    ]
    for name, command in _subparsers(parser()).items():
        parts += [f"## segda {name}\n", f"{str(command.description).rstrip('.')}.\n", _fenced(_usage(command))]
        arguments = [_argument(command, action) for action in command._actions if action.dest not in EVERYWHERE]
        parts.append("\n".join(arguments) + "\n")
        if command.epilog:
            parts.append(_fenced(command.epilog))
    return "\n".join(parts)


def _subparsers(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (each for each in top._actions if isinstance(each, argparse._SubParsersAction))
    return dict(action.choices)


def _usage(command: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(command.prog, width=100)
    formatter.add_usage(command.usage, command._actions, command._mutually_exclusive_groups)
    return formatter.format_help()


def _argument(command: argparse.ArgumentParser, action: argparse.Action) -> str:
    """One item of a list: the argument as the help shows it, and what it does."""
    choices = " or ".join(f"`{choice}`" for choice in action.choices or ())
    value = str(action.metavar or ("" if choices else action.dest.upper()))
    names = ", ".join(action.option_strings)
    shown = f"{names} {value}".strip() if action.nargs != 0 else names
    about = command._get_formatter()._expand_help(action).rstrip(".") if action.help else ""
    return f"- `{shown}`: {', '.join(filter(None, (about, choices)))}."


def _fenced(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


def terms() -> str:
    """A section for each term: its equation, source and gradients, then its options."""
    parts = ["# Terms of the objective\n"]
    for found in pkgutil.iter_modules(segda.objectives.terms.__path__):
        name = f"{segda.objectives.terms.__name__}.{found.name}"
        term = importlib.import_module(name).build.__name__
        parts.append(
            f"## {found.name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n\n.. autoclass:: {name}.{term}\n```\n"
        )
    return "\n".join(parts)


def modules(title: str, *packages: object) -> str:
    """A section for each module of some packages, from its docstrings."""
    parts = [f"# {title}\n"]
    for package in packages:
        for found in pkgutil.iter_modules(package.__path__):  # type: ignore[attr-defined]
            name = f"{package.__name__}.{found.name}"  # type: ignore[attr-defined]
            importlib.import_module(name)
            parts.append(f"## {found.name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```\n")
    return "\n".join(parts)


def python() -> str:
    """What `segda` itself offers, from docstrings; docs/python.md shows how it is used."""
    names = [name for name in segda.__all__ if not name.startswith("_")]
    parts = ["# The library\n\n[python.md](../python.md) shows how these are used.\n"]
    for name in names:
        offered = getattr(segda, name)
        kind = "autoclass" if isinstance(offered, type) else "autofunction"
        parts.append(f"## {name}\n\n```{{eval-rst}}\n.. {kind}:: segda.{name}\n```\n")
    for name in RETURNED:
        title = name.rpartition(".")[2]
        parts.append(
            f"## {title}\n\n```{{eval-rst}}\n.. autoclass:: {name}\n   :members:\n   :inherited-members:\n```\n"
        )
    return "\n".join(parts)


def keys() -> str:
    """Every key of every config, from the schema that editors use."""
    found = json_schema.definitions()
    kinds = [(kind, [name for name in found if name.startswith(f"{kind}.")]) for kind in SECTIONS]
    top = json_schema.schema("pipelines")
    parts = [
        "# Keys of configs\n",
        "What stands in pipelines, methods and data sets, here or in a `base`. Components (readers, terms,\n"
        "networks) are chosen by `name`; their other keys are their options.\n",
        "## A pipeline\n", _table({**top, "required": []}),
        "## A method\n", _table({**found["method"], "required": []}),
    ]  # fmt: skip
    for kind, names in kinds:
        parts.append(f"## {SECTIONS[kind]}\n")
        for name in names:
            parts += [f"### {_anchor(name)}\n", found[name].get("description", "") + "\n", _table(found[name])]
    parts.append("## Parts of these\n")
    for name, part in sorted(found.items()):
        if "." not in name and "properties" in part and name not in ("method", *SECTIONS):
            parts += [f"### {_anchor(name)}\n", part.get("description", "") + "\n", _table(part)]
    return "\n".join(parts)


def _anchor(name: str) -> str:
    """The heading of a definition; its anchor, as the pages make it, has no dots."""
    return name.replace(".", " ")


def _table(part: Mapping[str, Any]) -> str:
    """A row for each key: what it takes, its default, what it means."""
    lines = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for name, option in part.get("properties", {}).items():
        given = "" if "default" not in option else f"`{json.dumps(option['default'], ensure_ascii=False)}`"
        must = name in part.get("required", ()) and "const" not in option
        cells = (f"`{name}`", _takes(option), "**required**" if must else given, option.get("description", ""))
        lines.append(f"| {' | '.join(cell.replace('|', ' or ') for cell in cells)} |")
    return "\n".join(lines) + "\n" if len(lines) > 2 else "No keys.\n"


def _takes(option: Mapping[str, Any]) -> str:
    """What values a key takes, in words."""
    if "$ref" in option:
        name = option["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(name).lower().replace(' ', '-')})" if name not in CHOICES else CHOICES[name]
    if "const" in option:
        return f"`{option['const']}`"
    if "enum" in option:
        return ", ".join(f"`{json.dumps(value)}`".replace('"', "") for value in option["enum"])
    if "anyOf" in option:
        return " or ".join(dict.fromkeys(filter(None, map(_takes, option["anyOf"]))))
    if option.get("type") == "array":
        if "prefixItems" in option:
            return f"[{', '.join(map(_takes, option['prefixItems']))}]"
        return f"list of {_takes(option.get('items', {})) or 'anything'}"
    if isinstance(option.get("additionalProperties"), dict):
        return f"name: {_takes(option['additionalProperties'])}"
    bounds = [f"{word} {option[key]:g}" for key, word in BOUNDS.items() if key in option]
    return " ".join([TYPES.get(str(option.get("type")), ""), *bounds]).strip()
