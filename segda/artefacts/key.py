"""Content keys: equal configs and inputs give the same key, on every machine and in every process."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from segda.errors import ConfigError


def _plain(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigError(f"{path or 'value'}: {value} has no key; give a finite number")
        # YAML's 1 and 1.0 mean the same to every option, so they share a key.
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        plain = {str(name): _plain(item, f"{path}.{name}" if path else str(name)) for name, item in value.items()}
        if len(plain) != len(value):
            raise ConfigError(f"{path or 'value'}: a number and a text spell the same key; keep one")
        return plain
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    raise ConfigError(f"{path or 'value'}: a {type(value).__name__} has no key; expected plain data")


def canonical(value: Any) -> str:
    """The one JSON text of plain data: sorted keys, no blanks, ASCII, floats as Python's `repr`.

    >>> canonical({"b": 1.0, "a": [0.1, None]})
    '{"a":[0.1,null],"b":1}'

    Raises:
        ConfigError: a number that is not finite, or a value that is not plain data.
    """
    return json.dumps(_plain(value, ""), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`: 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def stage_key(kind: str, version: int, config: Mapping[str, Any]) -> str:
    """The key of a stage.

    Args:
        kind: the stage's module name.
        version: its `VERSION`, raised when the same config would now mean another result.
        config: the resolved config, without `runtime`, with upstream keys in place of references and fingerprints
            in place of data roots.
    """
    return digest({"kind": kind, "version": version, "config": config})
