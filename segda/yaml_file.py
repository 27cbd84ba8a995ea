"""Reading a YAML file safely: plain data only, no duplicate keys, bounded size, YAML 1.2 scalars."""

import re
from pathlib import Path
from typing import Any

import yaml

from segda.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_NODES = 100_000


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2, so `1e-4` is a number, and `no`, `12:30`, `2020-01-01` are text."""

    yaml_implicit_resolvers: dict[str, Any] = {}


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:merge")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _check_keys(node: yaml.MappingNode) -> None:
    """One key once, and only text or whole numbers as keys."""
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag not in _KEY_TAGS:
            raise ConfigError(f"line {_line(key)}: a key must be text or a whole number; quote it")
        if key.value in seen:
            raise ConfigError(f"line {_line(key)}: key {key.value!r} occurs twice in one mapping; keep one")
        seen.add(key.value)


def _expanded_size(node: yaml.Node, known: dict[int, int], open_nodes: set[int]) -> int:
    """Number of nodes once all aliases are written out; keys are checked on the way.

    Raises:
        ConfigError: the expansion is unbounded or beyond `MAX_NODES`, or a mapping's keys are not acceptable.
    """
    if id(node) in known:
        return known[id(node)]
    if id(node) in open_nodes:
        raise ConfigError(f"line {_line(node)}: an anchor contains itself; remove the alias")
    open_nodes.add(id(node))
    size = 1
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        size += sum(_expanded_size(child, known, open_nodes) + 1 for _, child in node.value)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_expanded_size(child, known, open_nodes) for child in node.value)
    if size > MAX_NODES:
        raise ConfigError(f"line {_line(node)}: aliases expand to more than {MAX_NODES} entries; write less")
    open_nodes.discard(id(node))
    known[id(node)] = size
    return size


def parse(text: str) -> Any:
    """The data that a YAML text describes: mappings, lists, text, numbers, booleans and null.

    Raises:
        ConfigError: not YAML, or one of the things that this reader refuses.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _expanded_size(node, {}, set())
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{place}not valid YAML: {problem}") from None
    except RecursionError:
        raise ConfigError("nested too deeply; write it flatter") from None
    finally:
        loader.dispose()


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
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise ConfigError(f"{path}: holds {found}; expected a mapping `key: value`")
    return content
