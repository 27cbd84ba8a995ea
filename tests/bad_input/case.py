"""What a case of the corpus is: how a sound input is spoilt, and what the command line must say."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tools import fuzz_targets

Spoil = Callable[[Path], object]
"""Given the case's own folder, in which sound files lie."""


class Case(NamedTuple):
    """An input that is refused: exit code 2 and one line.

    Attributes:
        name: what is wrong.
        spoil: makes it so.
        names: the file or key that the line must name.
        remedy: a part of what the line must tell to do.
        words: the command.
        base: which sound files lie in the folder; see `BASES`.
    """

    name: str
    spoil: Spoil
    names: str
    remedy: str
    words: tuple[str, ...]
    base: str


class Handled(NamedTuple):
    """An odd input that is used: exit code 0, and `shows` holds afterwards."""

    name: str
    spoil: Spoil
    shows: Callable[[Path], None]
    words: tuple[str, ...]
    base: str


JOB = """
task: {name: segmentation, labels: cityscapes}
runtime: {cpu: true, workers: 0}
stages:
  adapted:
    kind: export
    data: {name: folder, root: set, classes: {1: road, 2: car}}
    target: {name: folder, root: sound}
    method: colour_statistics
"""
CONFIG = "{name: folder, root: set, classes: {1: road, 2: car}}"


def _pair(folder: Path) -> None:
    """A pair of image and label, a sound target, and a job that reads both without training anything."""
    (folder / "job.yaml").write_text(JOB)
    (folder / "data.yaml").write_text(CONFIG)
    fuzz_targets.save(folder / "set/images/train/a.png", fuzz_targets.pictures(0))
    fuzz_targets.save(folder / "set/labels/train/a.png", fuzz_targets.ids(0, (1, 2)))
    fuzz_targets.save(folder / "sound/images/train/a.png", fuzz_targets.pictures(1))


def _empty(folder: Path) -> None:
    """Nothing but the job's file."""
    (folder / "job.yaml").write_text(JOB)


def _set(name: str) -> Spoil:
    """A data set of a reader, and the config `data.yaml` that names it."""
    target = next(target for target in fuzz_targets.TARGETS if target.name == name)

    def write(folder: Path) -> None:
        target.write(folder / "set")

    return write


BASES: dict[str, Spoil] = {
    "pair": _pair,
    "empty": _empty,
    "run": fuzz_targets._run,
    **{f"set {target.name}": _set(target.name) for target in fuzz_targets.TARGETS},
}

RUN = ("run", "job.yaml")
PLAN = ("run", "job.yaml", "--plan")
CHECK = ("check", "data.yaml")


def copy(base: Path, folder: Path) -> None:
    """The sound files of a base, links kept as such."""
    shutil.copytree(base, folder, symlinks=True, dirs_exist_ok=True)
