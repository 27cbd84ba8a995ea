"""What happens to files while no process runs, a bad disk, a lost power supply, a careless hand."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from segda.artefacts import manifest as manifests
from segda.errors import ArtefactError
from segda.files import is_there

CHECKPOINT = "step-*"


@dataclass(frozen=True)
class Stage:
    """A stage of the run that is disturbed, and where its result lies."""

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

    def checkpoints(self) -> list[Path]:
        """Oldest first."""
        return sorted((self.folder / "checkpoints").glob(CHECKPOINT))


def stages_of(runs: Path, lock: Path) -> list[Stage]:
    """The stages that a run's lock file names, in order, as they lie below `runs`."""
    entries = json.loads(lock.read_text())["stages"].items()
    return [Stage(name, entry["kind"], runs / entry["folder"]) for name, entry in entries]


@dataclass(frozen=True)
class Damage:
    """One thing that was done to the files.

    Attributes:
        kind: in words.
        path: what was changed.
        stage: whose file it is; empty where it is nobody's.
        hidden: a run does not see it, since it looks at sizes; `segda status --verify` does, which reads every file.
    """

    kind: str
    path: Path
    stage: str = ""
    hidden: bool = False


def cut_short(path: Path, chance: Random) -> None:
    """Keep a random part of a file's beginning."""
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(max(1, len(content)))])


def flip(path: Path, chance: Random) -> None:
    """Turn one bit of a file over."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def _finished(stages: Sequence[Stage], chance: Random) -> Stage | None:
    found = [stage for stage in stages if stage.is_finished()]
    return chance.choice(found) if found else None


def _newest_checkpoint(stages: Sequence[Stage], chance: Random) -> tuple[Stage, Path] | None:
    found = [(stage, stage.checkpoints()[-1]) for stage in stages if not stage.is_finished() and stage.checkpoints()]
    return chance.choice(found) if found else None


def _written(stages: Sequence[Stage], chance: Random) -> tuple[Stage, Path] | None:
    """A picture or label of a stage that was stopped half-way."""
    found = [
        (stage, path)
        for stage in stages if stage.kind in ("generate", "export") and not stage.is_finished()
        for path in sorted(stage.folder.rglob("*.png")) if not path.name.startswith(".")
    ]  # fmt: skip
    return chance.choice(found) if found else None


def checkpoint_cut(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """The newest checkpoint of an unfinished stage loses the end of one of its files."""
    return _in_checkpoint(stages, chance, "checkpoint cut short", cut_short)


def checkpoint_flipped(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """One bit of the newest checkpoint of an unfinished stage changes."""
    return _in_checkpoint(stages, chance, "checkpoint, one bit changed", flip)


def _in_checkpoint(
    stages: Sequence[Stage], chance: Random, kind: str, change: Callable[[Path, Random], None]
) -> Damage | None:
    found = _newest_checkpoint(stages, chance)
    if found is None:
        return None
    file = chance.choice(sorted(found[1].iterdir()))
    change(file, chance)
    return Damage(kind, file, found[0].name)


def result_cut(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """A published file loses its end."""
    stage = _finished(stages, chance)
    if stage is None or not stage.published():
        return None
    file = chance.choice(stage.published())
    cut_short(file, chance)
    return Damage("published file cut short", file, stage.name)


def result_deleted(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """A published file is gone, such as an exported image."""
    stage = _finished(stages, chance)
    if stage is None or not stage.published():
        return None
    file = chance.choice(stage.published())
    file.unlink()
    return Damage("published file deleted", file, stage.name)


def result_flipped(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """One bit of a published file changes, so that its size does not tell."""
    stage = _finished(stages, chance)
    if stage is None or not stage.published():
        return None
    file = chance.choice(stage.published())
    flip(file, chance)
    return Damage("published file, one bit changed", file, stage.name, hidden=True)


def manifest_deleted(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """A finished stage loses what makes it one."""
    stage = _finished(stages, chance)
    if stage is None:
        return None
    (stage.folder / manifests.FILE_NAME).unlink()
    return Damage("manifest deleted", stage.folder / manifests.FILE_NAME, stage.name)


def manifest_cut(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """A manifest loses its end: refused, since a file that is not JSON says nothing, and the folder is moved away."""
    stage = _finished(stages, chance)
    if stage is None:
        return None
    cut_short(stage.folder / manifests.FILE_NAME, chance)
    return Damage("manifest cut short", stage.folder / manifests.FILE_NAME, stage.name)


def written_emptied(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """A file of a stopped stage has its name and no content, as a loss of power may leave it."""
    found = _written(stages, chance)
    if found is None:
        return None
    found[1].write_bytes(b"")
    return Damage("file of a stopped stage emptied", found[1], found[0].name)


def half_written(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """What a death in the middle of a file or checkpoint leaves: part of it, under its temporary name."""
    found = _written(stages, chance) or _newest_checkpoint(stages, chance)
    if found is None:
        return None
    stage, path = found
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        cut_short(file, chance)
    return Damage("file left half-written", path.rename(path.with_name(f".{path.name}.partial")), stage.name)


def log_cut(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """The log of a stopped training stage ends in the middle of a line."""
    found = _newest_checkpoint(stages, chance)
    if found is None or not (found[0].folder / "log.jsonl").is_file():
        return None
    cut_short(found[0].folder / "log.jsonl", chance)
    return Damage("log cut short", found[0].folder / "log.jsonl", found[0].name)


def lock_gone(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """The run's lock file, which tells people what lies where, is deleted or holds something else; and one stage's."""
    found = sorted(stages[0].folder.parent.glob("*.lock.json"))
    if not found:
        return None
    if chance.random() < 0.5:
        found[0].unlink()
    else:
        found[0].write_bytes(chance.randbytes(100))
    for stage in stages:
        (stage.folder / ".lock").unlink(missing_ok=True)
    return Damage("lock files deleted or overwritten", found[0])


KINDS = (
    checkpoint_cut, checkpoint_flipped, result_cut, result_deleted, result_flipped, manifest_deleted, manifest_cut,
    written_emptied, half_written, log_cut, lock_gone,
)  # fmt: skip


def inflict(stages: Sequence[Stage], chance: Random) -> Damage | None:
    """Damage that can be done to the files as they are; `None` where there is nothing to be damaged."""
    kinds = list(KINDS)
    chance.shuffle(kinds)
    return next((damage for kind in kinds if (damage := kind(stages, chance)) is not None), None)
