"""`dataset.json`: what a finished export holds, written last; and a check of every file against it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from segda.artefacts import checked_json
from segda.artefacts.manifest import describe_outputs, read_json, write_json
from segda.errors import ArtefactError
from segda.files import is_below, leading_out

FILE_NAME = "dataset.json"
FOLDERS = ("images", "labels", "data")
"""Folders that hold nothing but an export's files."""


class Difference(NamedTuple):
    """One file that is not as `dataset.json` says: `missing`, `differs` or `too many`, with its path and details."""

    kind: str
    file: str
    detail: str = ""


def require(root: Path, expected: Iterable[str], folders: Iterable[str]) -> None:
    """Refuse missing files, and files in `folders` that are not `expected`; all are paths with `/` below `root`.

    Raises:
        ArtefactError: names the first.
    """
    names, present = set(expected), set(files(root, folders))
    missing, extra = sorted(names - present), sorted(present - names)
    if missing:
        raise ArtefactError(f"{root / missing[0]}: not written, one of {len(missing)} missing files; run again")
    if extra:
        raise ArtefactError(
            f"{root / extra[0]}: not a file of this export, one of {len(extra)}; move them away, then run again"
        )


def publish(
    folder: Path, content: Mapping[str, Any], names: Iterable[str], progress: Callable[[int], None] = lambda done: None
) -> None:
    """Write `dataset.json`: `content`, and the checksum of every file named, by its path below the folder with `/`.

    `progress` gets the number of files that are read.
    """
    whole = {**content, "files": describe_outputs(folder, sorted(names), progress)}
    write_json(folder / FILE_NAME, {**whole, "sha256": checked_json.checksum(whole)})


def files(root: Path, folders: Iterable[str] = FOLDERS) -> list[str]:
    """All files in some folders below `root`, hidden ones too: sorted paths relative to it."""
    paths = [path for name in folders for path in (root / name).rglob("*") if not path.is_dir()]
    return sorted(path.relative_to(root).as_posix() for path in paths)


def load(folder: Path) -> dict[str, Any]:
    """The content of `dataset.json`.

    Raises:
        ArtefactError: it is missing or damaged, or names a file outside the folder.
    """
    if not (folder / FILE_NAME).is_file():
        raise ArtefactError(f"{folder}: no {FILE_NAME}, so this is not a finished export; run its stage to the end")
    content = read_json(folder / FILE_NAME)
    for entry in ("files", "keys"):
        check_names(folder / FILE_NAME, content.get(entry) or ())
    return content


def check_names(origin: Path, names: Iterable[str]) -> None:
    """Refuse names (paths with `/`, or keys of samples) that lead out of their folder; `origin` is what names them.

    Raises:
        ArtefactError: names the first.
    """
    wrong = next((name for name in names if not is_below(name)), None)
    if wrong is not None:
        raise ArtefactError(f"{origin}: {wrong!r} leads out of the folder; an export holds only files below it")


def is_whole(folder: Path) -> bool:
    """Whether an export is finished.

    Raises:
        ArtefactError: it was, but a file has changed since.
    """
    if not (folder / FILE_NAME).is_file():
        return False
    if differences := check(folder)[1]:
        kind, file, _ = differences[0]
        raise ArtefactError(
            f"{folder / file}: {kind}, one of {len(differences)} files that are not as {FILE_NAME} says; "
            "move the folder away, then run again"
        )
    return True


def check(folder: Path, progress: Callable[[int], None] = lambda done: None) -> tuple[dict[str, Any], list[Difference]]:
    """Compare every file of a finished export with `dataset.json`; reads all of them, whose number `progress` gets.

    Returns the content of `dataset.json`, and what differs, by kind and path; nothing for an export as it was written.

    Raises:
        ArtefactError: it is not a finished export, or an older segda wrote it without checksums, or a file leads out
            of it.
    """
    content = load(folder)
    listed = content.get("files")
    if not isinstance(listed, dict):
        raise ArtefactError(f"{folder / FILE_NAME}: lists no checksums, as an older segda wrote it; export again")
    checked_json.require(folder / FILE_NAME, content, checked_json.EXPORT, "export the data set again")
    linked = leading_out(folder, listed)
    if linked is not None:
        raise ArtefactError(f"{folder / linked}: leads out of {folder} by a link; put the file itself there")
    differences = []
    if content.pop("sha256", None) != checked_json.checksum(content):
        differences.append(Difference("differs", FILE_NAME, "its content has changed"))
    present = [name for name in listed if (folder / name).is_file()]
    described = describe_outputs(folder, present, progress)
    for name, expected in listed.items():
        actual = described.get(name)
        if actual is None:
            differences.append(Difference("missing", name))
        elif actual["bytes"] != expected["bytes"]:
            differences.append(Difference("differs", name, f"{actual['bytes']} bytes, expected {expected['bytes']}"))
        elif actual != expected:
            differences.append(Difference("differs", name, "its content has changed"))
    differences += [Difference("too many", name) for name in files(folder) if name not in listed]
    return content, sorted(differences)
