"""What happens to files while no process runs: a bad disk, a loss of power, a careless hand."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from segda.artefacts import manifest as manifests
from segda.artefacts.store import LOCK_ENDING
from segda.errors import ArtefactError
from segda.files import is_there
from tools.soaking.faults import cut_short, flip

Files = dict[str, list[Path]]
"""By stage; those of the run's lock file are of stage ""."""


@dataclass(frozen=True)
class Stage:
    """A stage of the run that is disturbed, and its folder."""

    name: str
    kind: str
    folder: Path

    def is_finished(self) -> bool:
        """Whether it is published, with a manifest that can be read: an earlier fault may have cut it short."""
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


def _published(stages: Sequence[Stage]) -> Files:
    return {stage.name: stage.published() for stage in stages if stage.is_finished()}


def _manifests(stages: Sequence[Stage]) -> Files:
    return {stage.name: [stage.folder / manifests.FILE_NAME] for stage in stages if stage.is_finished()}


def _checkpoints(stages: Sequence[Stage]) -> Files:
    """The newest checkpoint of each unfinished stage."""
    unfinished = [stage for stage in stages if not stage.is_finished()]
    return {stage.name: sorted((stage.folder / "checkpoints").glob("step-*"))[-1:] for stage in unfinished}


def _in_checkpoints(stages: Sequence[Stage]) -> Files:
    folders = _checkpoints(stages).items()
    return {name: [file for folder in newest for file in sorted(folder.iterdir())] for name, newest in folders}


def _pictures(stages: Sequence[Stage]) -> Files:
    """Pictures and labels of stages that were stopped half-way."""
    unfinished = [stage for stage in stages if stage.kind in ("generate", "export") and not stage.is_finished()]
    return {stage.name: sorted(stage.folder.rglob("[!.]*.png")) for stage in unfinished}


def _pictures_and_checkpoints(stages: Sequence[Stage]) -> Files:
    return _checkpoints(stages) | {name: paths for name, paths in _pictures(stages).items() if paths}


def _logs(stages: Sequence[Stage]) -> Files:
    logs = {name: [path.parents[1] / "log.jsonl" for path in paths] for name, paths in _checkpoints(stages).items()}
    return {name: [path for path in paths if path.is_file()] for name, paths in logs.items()}


def _locks(stages: Sequence[Stage]) -> Files:
    return {"": sorted(stages[0].folder.parent.glob(f"*{LOCK_ENDING}"))}


def _delete(path: Path, _: Random) -> None:
    path.unlink()


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


KINDS: dict[str, tuple[Callable[[Sequence[Stage]], Files], Callable[[Path, Random], Path | None]]] = {
    "checkpoint cut short": (_in_checkpoints, cut_short),
    "checkpoint, one bit changed": (_in_checkpoints, flip),
    "published file cut short": (_published, cut_short),
    "published file deleted": (_published, _delete),
    "published file, one bit changed": (_published, flip),
    "manifest deleted": (_manifests, _delete),
    "manifest cut short": (_manifests, cut_short),
    "file of a stopped stage emptied": (_pictures, _empty),
    "file left half-written": (_pictures_and_checkpoints, _half_write),
    "log cut short": (_logs, cut_short),
    "lock files deleted or overwritten": (_locks, _lose_locks),
}
"""Which files each kind of damage may change, and how."""

HIDDEN = "published file, one bit changed"
"""A run does not see it, since it looks at sizes; `segda status --verify` does, which reads every file."""


@dataclass(frozen=True)
class Damage:
    """A kind of damage that was done, the path that was changed, and its stage; "" for the run's lock file."""

    kind: str
    path: Path
    stage: str


def inflict(stages: Sequence[Stage], random: Random) -> Damage | None:
    """Damage of a kind drawn at random; `None` if there is nothing to be damaged."""
    for kind in random.sample(sorted(KINDS), len(KINDS)):
        files_of, change = KINDS[kind]
        files = {name: paths for name, paths in files_of(stages).items() if paths}
        if files:
            stage = random.choice(sorted(files))
            path = random.choice(files[stage])
            return Damage(kind, change(path, random) or path, stage)
    return None
