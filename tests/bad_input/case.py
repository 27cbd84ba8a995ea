"""A case of the corpus: how a valid input is damaged, and what the command must print."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tools import fuzz_files, fuzz_targets

Spoil = Callable[[Path], object]
"""Called with the case's folder of valid files."""


class Case(NamedTuple):
    """An input that is refused: exit code 2 and one line.

    Attributes:
        name: what is wrong.
        spoil: damages the files.
        names: the file or key that the line must name.
        remedy: a part of the remedy that the line must name.
        words: the command.
        base: the valid files in the folder; see `BASES`.
    """

    name: str
    spoil: Spoil
    names: str
    remedy: str
    words: tuple[str, ...]
    base: str


class Handled(NamedTuple):
    """An unusual input that is accepted: exit code 0, and then `shows` passes."""

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
SOUND = {"sound/images": fuzz_files.pictures(1)}


def _pair(folder: Path) -> None:
    """An image with its label, a valid target, and a job that reads both without training."""
    (folder / "job.yaml").write_text(JOB)
    (folder / "data.yaml").write_text(CONFIG)
    pixels = {"set/images": fuzz_files.pictures(0), "set/labels": fuzz_files.ids(0, (1, 2)), **SOUND}
    fuzz_files.write({f"{name}/train/a.png": content for name, content in pixels.items()}, folder)


def _empty(folder: Path) -> None:
    """Only the job's file."""
    (folder / "job.yaml").write_text(JOB)


def _set(name: str, data: str, space: str, task: str = "segmentation") -> Spoil:
    """A data set of a reader, and a job that reads it."""
    target = next(target for target in fuzz_targets.TARGETS if target.name == name)
    ours = "data: {name: folder, root: set, classes: {1: road, 2: car}}"
    job = JOB.replace(ours, f"data: {{root: set, {data}}}")
    job = job.replace("{name: segmentation, labels: cityscapes}", f"{{name: {task}, labels: {space}}}")

    def write(folder: Path) -> None:
        target.write(folder / "set")
        fuzz_files.write({f"{name}/train/a.png": content for name, content in SOUND.items()}, folder)
        (folder / "job.yaml").write_text(job)

    return write


def _digits(name: str, data: str, space: str = "digits") -> Spoil:
    return _set(name, data, space, "classification")


BASES: dict[str, Spoil] = {
    "pair": _pair,
    "empty": _empty,
    "run": fuzz_targets.write_run,
    "gta5": _set("gta5", "name: gta5, split_file: split.mat", "cityscapes"),
    "carla": _set("carla", "name: carla", "camvid"),
    "synthia": _set("synthia", "name: synthia", "synthia16"),
    "colours": _set("colours.png", "name: folder, colours: {road: [1, 1, 1]}, ignore_colours: [[2, 2, 2]]",
                    "cityscapes"),
    "adapted maps": _set("adapted maps", "name: adapted", "camvid"),
    "adapted": _digits("adapted", "name: adapted"),
    "mnist": _digits("mnist", "name: mnist"),
    "usps": _digits("usps", "name: usps"),
    "usps.h5": _digits("usps.h5", "name: usps"),
    "svhn": _digits("svhn", "name: svhn"),
    "mnist_m": _digits("mnist_m", "name: mnist_m"),
    "arrays": _digits("arrays", "name: arrays"),
    "npy": _digits("npy", "name: arrays, images: images.npy, labels: labels.npy"),
    "points": _digits("points", "name: points", "moons"),
    "class_folders": _digits("class_folders", "name: class_folders"),
}  # fmt: skip

RUN = ("run", "job.yaml")
PLAN = ("run", "job.yaml", "--plan")
CHECK = ("check", "data.yaml")


def copy(base: Path, folder: Path) -> None:
    """Copy the valid files of a base, links as links."""
    shutil.copytree(base, folder, symlinks=True, dirs_exist_ok=True)
