"""`dataset.json`: what a finished export holds, written last; and a check of every file against it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from segda.artefacts.checked_json import EXPORT
from segda.artefacts.checked_json import require as require_form
from segda.artefacts.manifest import describe_outputs, read_json, write_json
from segda.errors import ArtefactError
from segda.files import is_below, leading_out

FILE_NAME = "dataset.json"
FOLDERS = ("images", "labels", "data")
"""Folders that hold nothing but an export's files."""


class Difference(NamedTuple):
    """One file that is not as `dataset.json` says: `missing`, `differs` or `too many`; its path, and the details."""

    kind: str
    file: str
    detail: str = ""


def require(place: Path, expected: Iterable[str], folders: Iterable[str]) -> None:
    """Refuse a set of files that is not just the one that is expected.

    Args:
        place: where the files lie.
        expected: their paths below it, with `/`.
        folders: those below it that hold nothing else.

    Raises:
        ArtefactError: a file is missing, or is not one of the export's.
    """
    wanted, found = set(expected), set(files(place, folders))
    lost, strange = sorted(wanted - found), sorted(found - wanted)
    if lost:
        raise ArtefactError(f"{place / lost[0]}: was not written, as {len(lost)} of {len(wanted)} files; run again")
    if strange:
        raise ArtefactError(
            f"{place / strange[0]}: is no file of this export, one of {len(strange)}; move them away, then run again"
        )


def publish(folder: Path, content: Mapping[str, Any], names: Iterable[str]) -> None:
    """Write `dataset.json`, with the checksum of every file.

    Args:
        folder: of the export.
        content: what it says besides.
        names: paths of its files below it, with `/`.
    """
    whole = {**content, "files": describe_outputs(folder, sorted(names))}
    write_json(folder / FILE_NAME, {**whole, "sha256": _digest(whole)})


def files(place: Path, folders: Iterable[str] = FOLDERS) -> list[str]:
    """All files in some folders of a place, sorted paths below it; also hidden ones."""
    found = [path for name in folders for path in (place / name).rglob("*") if not path.is_dir()]
    return sorted(path.relative_to(place).as_posix() for path in found)


def load(folder: Path) -> dict[str, Any]:
    """The content of `dataset.json`.

    Raises:
        ArtefactError: it is missing or damaged, or names what lies outside of the folder.
    """
    if not (folder / FILE_NAME).is_file():
        raise ArtefactError(f"{folder}: no {FILE_NAME}, so this is no finished export; run its stage to the end")
    content = read_json(folder / FILE_NAME)
    for entry in ("files", "keys"):
        check_names(folder / FILE_NAME, content.get(entry) or ())
    return content


def check_names(told_by: Path, names: Iterable[str]) -> None:
    """Refuse names that lead out of the folder that they are about.

    Args:
        told_by: the file or data set that names them, for the message.
        names: paths with `/`, or keys of samples.

    Raises:
        ArtefactError: names the first.
    """
    wrong = next((name for name in names if not is_below(name)), None)
    if wrong is not None:
        raise ArtefactError(f"{told_by}: {wrong!r} leads out of the folder; an export holds nothing but files below it")


def is_whole(folder: Path) -> bool:
    """Whether an export is finished.

    Raises:
        ArtefactError: it was, but a file has changed since.
    """
    if not (folder / FILE_NAME).is_file():
        return False
    differences = check(folder)[1]
    if differences:
        kind, file, _ = differences[0]
        raise ArtefactError(
            f"{folder / file}: {kind}, one of {len(differences)} files that are not as {FILE_NAME} says; "
            "move the folder away, then run again"
        )
    return True


def check(folder: Path) -> tuple[dict[str, Any], list[Difference]]:
    """Compare every file of a finished export with `dataset.json`; reads all of them.

    Args:
        folder: of the export.

    Returns:
        The content of `dataset.json`, and what differs, by kind and path; nothing for an export as it was written.

    Raises:
        ArtefactError: it is no finished export, or one of a segda that kept no checksums, or a file leads out of it.
    """
    content = load(folder)
    listed = content.get("files")
    if not isinstance(listed, dict):
        raise ArtefactError(f"{folder / FILE_NAME}: lists no checksums, as an older segda wrote it; export again")
    require_form(folder / FILE_NAME, content, EXPORT, "export the data set again")
    linked = leading_out(folder, listed)
    if linked is not None:
        raise ArtefactError(f"{folder / linked}: leads out of {folder} by a link; put the file itself there")
    differences = []
    if content.get("sha256") != _digest({name: value for name, value in content.items() if name != "sha256"}):
        differences.append(Difference("differs", FILE_NAME, "another content than was written"))
    present = [name for name in listed if (folder / name).is_file()]
    described = describe_outputs(folder, present)
    for name, expected in listed.items():
        found = described.get(name)
        if found is None:
            differences.append(Difference("missing", name))
        elif found["bytes"] != expected["bytes"]:
            differences.append(Difference("differs", name, f"{found['bytes']} bytes, expected {expected['bytes']}"))
        elif found != expected:
            differences.append(Difference("differs", name, "another content than was written"))
    differences += [Difference("too many", name) for name in files(folder) if name not in listed]
    return content, sorted(differences)


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
