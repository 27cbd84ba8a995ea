"""`manifest.json`: written last and atomically; a stage that has one is finished."""

import errno
import json
import math
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from segda.artefacts import checked_json
from segda.errors import ArtefactError
from segda.files import is_below, is_plain, leading_out, sha256, write_whole

SCHEMA = 1
FILE_NAME = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """The record of a finished stage.

    Attributes:
        stage: its name in the pipeline that ran it.
        kind: the stage's module name.
        version: the module's `VERSION`.
        key: 64 hexadecimal digits, see `key.stage_key`.
        config: the resolved config, as users read it.
        inputs: config path to `{"stage", "kind", "key", "folder"}` or `{"dataset", "fingerprint"}`.
        outputs: path below the folder to `{"bytes", "sha256"}`.
        metrics: returned by the stage's `run`.
        provenance: where, when and with which packages it ran; never part of the key.
    """

    stage: str
    kind: str
    version: int
    key: str
    config: dict[str, Any]
    inputs: dict[str, Any]
    outputs: dict[str, dict[str, Any]]
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA


def _finite(value: Any) -> Any:
    """`value` as JSON can hold it: a float that is not finite (the IoU of an absent class) becomes null."""
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON, whole or not at all; numbers that are not finite become null."""
    write_whole(path, (json.dumps(_finite(content), indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file.

    Raises:
        ArtefactError: the file cannot be read or holds no mapping.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(
            f"{path}: cannot be read ({error.strerror}); repair its permissions or its folder"
        ) from None
    except (ValueError, RecursionError):
        raise ArtefactError(f"{path}: damaged, not JSON; restore it or move its folder away") from None
    if not isinstance(content, dict):
        raise ArtefactError(f"{path}: holds no mapping; restore it or move its folder away")
    return content


def describe_outputs(
    folder: Path, outputs: Iterable[str], progress: Callable[[int], None] = lambda done: None
) -> dict[str, dict[str, Any]]:
    """Size and hash of every file of the outputs, which are files or folders below the stage's folder.

    `progress` gets the number of files that are read.

    Returns:
        Path below `folder`, with `/`, to `{"bytes", "sha256"}`, sorted.

    Raises:
        ArtefactError: the stage has not written one of them.
    """
    files: list[Path] = []
    for name in outputs:
        path = folder / name
        # Hidden files are left by interrupted writes.
        whole = (item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
        written = sorted(whole) if path.is_dir() else [path]
        if not written or not written[0].is_file():
            raise ArtefactError(f"{path}: the stage ended without its output {name!r}")
        files += written
    hashes = []
    with ThreadPoolExecutor(max_workers=4) as pool:
        for done, hashed in enumerate(pool.map(sha256, files), start=1):
            hashes.append(hashed)
            progress(done)
    described = {
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": hashed}
        for file, hashed in zip(files, hashes, strict=True)
    }
    return dict(sorted(described.items()))


def write(folder: Path, manifest: Manifest) -> None:
    """Publish a finished stage: the last thing that is written into its folder."""
    write_json(folder / FILE_NAME, checked_json.with_checksum(_finite({"schema": manifest.schema, **asdict(manifest)})))


def load(folder: Path) -> Manifest:
    """The manifest of a finished stage.

    Raises:
        ArtefactError: there is none, it is damaged or of another schema, or a path in it leads out of the folder.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise ArtefactError(f"{folder}: no {FILE_NAME}, so this is no finished stage; run it first")
    content = read_json(path)
    if content.get("schema") != SCHEMA:
        raise ArtefactError(f"{path}: schema {content.get('schema')!r}; this segda reads schema {SCHEMA}")
    remedy = f"move {folder} away and run the stage again"
    content = checked_json.verified(path, content, checked_json.MANIFEST, remedy)
    try:
        manifest = Manifest(**content)
        fault = _fault(manifest)
    except TypeError as error:
        fault = f"damaged ({error})"
    if fault:
        raise ArtefactError(f"{path}: {fault}; {remedy}")
    return manifest


def origins(folder: Path, manifest: Manifest) -> list[Path]:
    """The folders of the stages that a stage was made from, each once."""
    names = (origin["folder"] for origin in manifest.inputs.values() if origin.get("folder"))
    return [folder.parent / name for name in dict.fromkeys(names)]


def upstream(*folders: Path) -> dict[Path, Manifest]:
    """Finished stages and all that they were made from, by folder; each after what it was made from.

    Raises:
        ArtefactError: one of them is not finished, or is damaged.
    """
    stages: dict[Path, Manifest] = {}

    def visit(folder: Path) -> None:
        if folder not in stages:
            manifest = load(folder)
            for origin in origins(folder, manifest):
                visit(origin)
            stages[folder] = manifest

    for folder in folders:
        visit(folder)
    return stages


def _fault(manifest: Manifest) -> str | None:
    """A path that leads out of its folder, or seconds that are no number."""
    for name in manifest.outputs:
        if not is_below(name):
            return f"outputs: {name!r} leads out of the folder"
    for name, origin in manifest.inputs.items():
        for key, allowed in (("folder", is_plain), ("output", is_below)):
            if origin.get(key) is not None and not allowed(origin[key]):
                return f"inputs: {name}: {key} {origin[key]!r} leads out of the folder of runs"
    if not isinstance(manifest.provenance.get("seconds") or 0, int | float):
        return "provenance: seconds is no number"
    return None


def first_difference(folder: Path, manifest: Manifest, full: bool = False) -> str | None:
    """The first output that differs from the manifest, as a message; `None` when all are equal.

    With `full`, hashes are compared too, which reads every file.

    Raises:
        ArtefactError: one of them leads out of the folder by a link.
    """
    linked = leading_out(folder, manifest.outputs)
    if linked is not None:
        raise ArtefactError(f"{folder / linked}: leads out of {folder} by a link; put the file itself there")
    for name, expected in manifest.outputs.items():
        size = _size(os.path.join(folder, name))
        if size is None:
            return f"{name} is missing"
        if size != expected["bytes"]:
            return f"{name} has {size} bytes, its manifest says {expected['bytes']}"
        if full and sha256(folder / name) != expected["sha256"]:
            return f"{name} has another content than its manifest says"
    return None


def _size(path: str) -> int | None:
    """The bytes of a file, `None` where there is none; one `stat` each, since an export has tens of thousands."""
    try:
        stats = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EBADF):
            return None
        raise
    return stats.st_size if stat.S_ISREG(stats.st_mode) else None


def verify(folder: Path, full: bool = False) -> Manifest:
    """The manifest of a finished stage, after a check of its outputs.

    Raises:
        ArtefactError: not finished, or an output is missing or changed.
    """
    manifest = load(folder)
    problem = first_difference(folder, manifest, full)
    if problem is not None:
        raise ArtefactError(f"{folder}: {problem}; restore it or run again with --force {manifest.stage}")
    return manifest
