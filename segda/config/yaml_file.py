"""Reading a YAML file safely: plain data only, no duplicate keys, bounded size, YAML 1.2 scalars."""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from segda.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DIGITS = 18


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2, so `1e-4` is a number, and `no`, `12:30`, `2020-01-01` are text."""

    yaml_implicit_resolvers: dict[str, Any] = {}
    _nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As PyYAML does, up to a number of nodes: a megabyte would take seconds."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ConfigError(f"more than {MAX_NODES} entries; a config has fewer, write less")
        return super().compose_node(parent, index)


for _name, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|false|False)$", list("tTfF")),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
    ("merge", r"^<<$", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), _first)
_KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:merge")
# All others, such as !!set or !!python/name, are no plain data.
_SCALAR_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "merge"))
_TAGS: dict[type[yaml.Node], tuple[str, ...]] = {
    yaml.ScalarNode: _SCALAR_TAGS,
    yaml.SequenceNode: ("tag:yaml.org,2002:seq",),
    yaml.MappingNode: ("tag:yaml.org,2002:map",),
}


_REMEDIES: dict[type[Exception], str] = {
    yaml.scanner.ScannerError: "; repair that line: spaces and no tabs, quotes around text with special characters",
    yaml.parser.ParserError: "; repair that line or the one before: brackets, indentation, a missing quote",
    yaml.composer.ComposerError: "; keep one document, and name an anchor (&name) before its alias (*name)",
    yaml.constructor.ConstructorError: "; write plain data",
    yaml.reader.ReaderError: "; remove the character",
}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _check_value(node: yaml.Node) -> None:
    """Refuse tags of other than plain data, and numbers out of range."""
    if node.tag not in _TAGS[type(node)]:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise ConfigError(f"line {_line(node)}: not valid YAML here: {tag} is no plain data; remove the tag")
    kind = node.tag.rpartition(":")[2]
    if kind == "int" and len(node.value) > MAX_DIGITS:
        raise ConfigError(
            f"line {_line(node)}: a number of {len(node.value)} digits; expected at most {MAX_DIGITS}, or quote it"
        )
    if kind == "float" and not _finite(node.value):
        raise ConfigError(f"line {_line(node)}: {node.value[:20]} is beyond all numbers; give a finite one")


def _finite(text: str) -> bool:
    """Whether a number is finite; text that is no number is left to the constructor."""
    try:
        return math.isfinite(float(text.lower().replace(".inf", "inf").replace(".nan", "nan")))
    except ValueError:
        return True


def _check_keys(node: yaml.MappingNode) -> None:
    """Refuse duplicate keys, and keys other than text and whole numbers."""
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag not in _KEY_TAGS or not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"line {_line(key)}: a key must be text or a whole number; quote it")
        if key.value in seen:
            raise ConfigError(f"line {_line(key)}: key {key.value!r} occurs twice in one mapping; keep one")
        seen.add(key.value)
        _check_value(key)


def _expanded_size(node: yaml.Node, sizes: dict[int, int], open_nodes: set[int]) -> int:
    """Number of nodes once all aliases are written out, at most `MAX_NODES`; values and keys are checked on the way."""
    if id(node) in sizes:
        return sizes[id(node)]
    if id(node) in open_nodes:
        raise ConfigError(f"line {_line(node)}: an anchor contains itself; remove the alias")
    _check_value(node)
    open_nodes.add(id(node))
    size = 1
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        size += sum(_expanded_size(child, sizes, open_nodes) + 1 for _, child in node.value)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_expanded_size(child, sizes, open_nodes) for child in node.value)
    if size > MAX_NODES:
        raise ConfigError(f"line {_line(node)}: aliases expand to more than {MAX_NODES} entries; write less")
    open_nodes.discard(id(node))
    sizes[id(node)] = size
    return size


def parse(text: str) -> Any:
    """The data that a YAML text describes: mappings, lists, text, numbers, booleans and null.

    Raises:
        ConfigError: not YAML, or refused by this reader.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _expanded_size(node, {}, set())
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ConfigError(f"{line}not valid YAML: {problem}{_REMEDIES.get(type(error), '')}") from None
    except RecursionError:
        raise ConfigError("nested too deeply; write it flatter") from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        # PyYAML's constructors trust an explicit tag: `!!int x`, `!!bool maybe`.
        raise ConfigError("not valid YAML: a value is not of the kind that its tag says; remove the tag") from None


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that the YAML file at `path` holds.

    Raises:
        ConfigError: the file is missing, too large, not text, not YAML, or holds no mapping.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: {path.stat().st_size} bytes; a config has at most {MAX_BYTES}")
        content = parse(path.read_text(encoding="utf-8"))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file in UTF-8; expected YAML") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if not isinstance(content, dict):
        kind = "nothing" if content is None else f"a {type(content).__name__}"
        raise ConfigError(f"{path}: holds {kind}; expected a mapping `key: value`")
    return content
