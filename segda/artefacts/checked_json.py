"""JSON files with a checksum of their content, and a check of their form.

A manifest that was cut off, edited by hand or damaged by a disk is refused in one line where it is read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segda.errors import ArtefactError
from segda.files import digest

CHECKSUM = "checksum"

EACH = "*"
"""In a form: every key of the mapping."""

MANIFEST: dict[str, Any] = {
    "stage": str, "kind": str, "version": int, "key": str, "config": dict, "inputs": {EACH: dict},
    "outputs": {EACH: {"bytes": int, "sha256": str}}, "metrics": dict, "provenance": dict,
}  # fmt: skip
LOCK: dict[str, Any] = {
    "stages": {EACH: {"kind": str, "folder": (str, type(None)), "key": str}},
    "config": {"stages": {EACH: {"kind": str}}},
}
EXPORT: dict[str, Any] = {"files": {EACH: {"bytes": int}}}


def with_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data and its checksum."""
    return {**content, CHECKSUM: checksum(content)}


def verified(path: Path, content: Mapping[str, Any], form: Mapping[str, Any], remedy: str) -> dict[str, Any]:
    """The content without its checksum, after both checks; an older segda wrote none.

    Args:
        path: of the file, for the message.
        content: of the file.
        form: key to type, or to alternatives, or to the form of a mapping; further keys are allowed.
        remedy: what the user can do about a damaged file.

    Raises:
        ArtefactError: its checksum or its form differs.
    """
    plain = {name: value for name, value in content.items() if name != CHECKSUM}
    if CHECKSUM in content and content[CHECKSUM] != checksum(plain):
        raise ArtefactError(f"{path}: damaged, it does not hold what was written; {remedy}")
    # A file written by hand may have a checksum made anew.
    require(path, plain, form, remedy)
    return plain


def require(path: Path, content: Any, form: Any, remedy: str, where: str = "") -> None:
    """Refuse plain data of another form.

    Raises:
        ArtefactError: names the key.
    """
    if not isinstance(form, Mapping):
        if not isinstance(content, form) or isinstance(content, bool):
            raise ArtefactError(f"{path}: damaged, {where!r} is {_short(content)}; {remedy}")
        return
    if not isinstance(content, Mapping):
        raise ArtefactError(f"{path}: damaged, {where or 'it'!r} is {_short(content)}, no mapping; {remedy}")
    for name, below in form.items():
        leaf = not isinstance(below, Mapping)
        for key in content if name == EACH else [name]:
            if key not in content:
                raise ArtefactError(f"{path}: damaged, {_joined(where, key)!r} is missing; {remedy}")
            value = content[key]
            # A shortcut: an export has tens of thousands of entries.
            if not (leaf and isinstance(value, below) and not isinstance(value, bool)):
                require(path, value, below, remedy, _joined(where, key))


def _joined(where: str, key: str) -> str:
    return f"{where}.{key}" if where else str(key)


def _short(value: Any) -> str:
    text = " ".join(json.dumps(value, default=str).split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of plain data, whatever the order of its keys: 64 hexadecimal digits."""
    as_read = json.loads(json.dumps(content))  # where every key is text: 10 comes before 2
    return digest(json.dumps(as_read, sort_keys=True).encode())
