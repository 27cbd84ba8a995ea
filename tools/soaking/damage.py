"""What happens to files while no process runs: a bad disk, a loss of power, a careless hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from segda.artefacts import manifest as manifests
from segda.artefacts.store import LOCK_ENDING
from segda.errors import ArtefactError
from segda.files import is_there
from tools.soaking.faults import cut_short, flip


class Stage(NamedTuple):
    """A stage of the run that is disturbed, and its folder."""

    name: str
    kind: str
    folder: Path

    def is_finished(self) -> bool:
        """Whether it is published, with a manifest that an earlier fault has not cut short."""
        try:
            return bool(manifests.load(self.folder))
        except ArtefactError:
            return False

    def is_refused(self, error: str) -> bool:
        """Whether an error line asks to move its folder away."""
        return str(self.folder) in error and "move" in error

    def published(self) -> list[Path]:
        """The files of its result that are there and hold something."""
        paths = [self.folder / name for name in manifests.load(self.folder).outputs]
        return [path for path in paths if is_there(path)]


def stages_of(runs: Path, lock: Path) -> list[Stage]:
    """The stages that a run's lock file names, in order, in the folder `runs`."""
    entries = json.loads(lock.read_text())["stages"].items()
    return [Stage(name, entry["kind"], runs / entry["folder"]) for name, entry in entries]


def _published(stage: Stage) -> list[Path]:
    return stage.published() if stage.is_finished() else []


def _manifest(stage: Stage) -> list[Path]:
    return [stage.folder / manifests.FILE_NAME] if stage.is_finished() else []


def _checkpoint(stage: Stage) -> list[Path]:
    """The newest checkpoint of an unfinished stage."""
    return [] if stage.is_finished() else sorted((stage.folder / "checkpoints").glob("step-*"))[-1:]


def _in_checkpoint(stage: Stage) -> list[Path]:
    return [file for folder in _checkpoint(stage) for file in sorted(folder.iterdir())]


def _pictures(stage: Stage) -> list[Path]:
    """Pictures and labels of a stage that was stopped half-way."""
    writes = stage.kind in ("generate", "export") and not stage.is_finished()
    return sorted(stage.folder.rglob("[!.]*.png")) if writes else []


def _log(stage: Stage) -> list[Path]:
    return list(stage.folder.glob("log.jsonl")) if _checkpoint(stage) else []


def _lock(stage: Stage) -> list[Path]:
    return sorted(stage.folder.glob(f"*{LOCK_ENDING}"))


def _empty(path: Path, _: Random) -> None:
    """As a loss of power may leave a file: with its name, and no content."""
    path.write_bytes(b"")


def _half_write(path: Path, random: Random) -> Path:
    """What a death in the middle of a file or checkpoint leaves: part of it, under its temporary name."""
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        cut_short(file, random)
    return path.rename(path.with_name(f".{path.name}.partial"))


def _lose_locks(path: Path, random: Random) -> None:
    """The run's lock file is deleted or overwritten, those of the stages are deleted."""
    if random.random() < 0.5:
        path.unlink()
    else:
        path.write_bytes(random.randbytes(100))
    for lock in path.parent.glob("*/.lock"):
        lock.unlink()


KINDS: dict[str, tuple[Callable[[Stage], list[Path]], Callable[[Path, Random], Path | None]]] = {
    "checkpoint cut short": (_in_checkpoint, cut_short),
    "checkpoint, one bit changed": (_in_checkpoint, flip),
    "published file cut short": (_published, cut_short),
    "published file deleted": (_published, lambda path, _: path.unlink()),
    "published file, one bit changed": (_published, flip),
    "manifest deleted": (_manifest, lambda path, _: path.unlink()),
    "manifest cut short": (_manifest, cut_short),
    "file of a stopped stage emptied": (_pictures, _empty),
    "file left half-written": (lambda stage: _pictures(stage) or _checkpoint(stage), _half_write),
    "log cut short": (_log, cut_short),
    "lock files deleted or overwritten": (_lock, _lose_locks),
}
"""Which files of a stage each kind of damage may change, and how."""

HIDDEN = "published file, one bit changed"
"""A run compares sizes and does not see it; `segda status --verify`, which reads every file, does."""


class Damage(NamedTuple):
    """The kind of a damage, the path that was changed, and its stage; "" for the run's lock file."""

    kind: str
    path: Path
    stage: str


def inflict(stages: Sequence[Stage], random: Random) -> Damage | None:
    """Damage of a kind drawn at random; `None` if there is nothing to damage."""
    run = Stage("", "run", stages[0].folder.parent)  # its folder has the lock file, and nothing of a stage
    for kind in random.sample(sorted(KINDS), len(KINDS)):
        files_of, change = KINDS[kind]
        files = {stage.name: paths for stage in [*stages, run] if (paths := files_of(stage))}
        if files:
            stage = random.choice(sorted(files))
            path = random.choice(files[stage])
            return Damage(kind, change(path, random) or path, stage)
    return None
