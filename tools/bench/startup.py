"""How long segda takes to begin: help, a plan, and to see that a pipeline is finished, also over 25,000 files.

Each command runs in a process of its own, five times after one that is not counted; the median is held against the
target. The first plan of a config makes all checks, with torch, and is shown apart. The two finished pipelines are
`streets` as it is shipped, and `streets` over a set of 25,000 images with labels in GTA5's layout, whose export has as
many again. Pictures are hard links of one, and what the stages left are files of the right names with true manifests:
recognising them opens no other file, however they came about.

Run:  python -m tools.bench.startup [--files 25000] [--rounds 5] [--json FILE]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from pipelines import pipeline as pipelines
from pipelines import plan as plans
from pipelines.execution import published
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.files import sha256
from tools.bench import figure
from tools.bench.figure import Figure

CAMERA = 100
SHIPPED = 240
"""Images that `streets` exports as it is shipped."""
HELP, PLAN, FINISHED = 0.3, 1.0, 2.0
"""Targets, in seconds."""


def measure(files: int, rounds: int) -> list[Figure]:
    """The figures of all commands, over sets of so many images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "SEGDA_CHECKED": str(folder / "checked")}
        job, runs = pipeline(folder, files), folder / "runs"
        finish("streets", Store(runs), SHIPPED)
        finish(str(job), Store(runs), files)
        figures = [
            told("`segda --help`", seconds(("--help",), environment, rounds), HELP),
            told("`segda run streets --plan`, never checked before", seconds(plan(folder), environment, 0), None),
            told("`segda run streets --plan`", seconds(plan(folder), environment, rounds), PLAN),
        ]
        sizes = {"`segda run streets`, finished": "streets", f"the same over {files:,} images": str(job)}
        for what, each in sizes.items():
            words = ("run", each, "--runs", str(runs))
            figures.append(told(what, seconds(words, environment, rounds), FINISHED))
        return figures


def plan(folder: Path) -> Sequence[str]:
    """The command that plans `streets` where nothing of it is there."""
    return ("run", "streets", "--plan", "--runs", str(folder / "none"))


def told(what: str, took: float, bound: float | None) -> Figure:
    """A figure of the start-up."""
    return Figure("start-up", what, took, "s", took, bound=bound, sense="at most")


def seconds(words: Sequence[str], environment: Mapping[str, str], rounds: int) -> float:
    """The median time of a command after a first one; the first one's own where no more are asked for.

    Raises:
        CalledProcessError: it failed.
    """
    times = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "pipelines", *words], env=environment, check=True, capture_output=True)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:] or times)


def pipeline(folder: Path, files: int) -> Path:
    """Data sets in a folder, and the file of a pipeline: `streets` over them in place of those that it generates."""
    gta5, cityscapes = folder / "gta5", folder / "cityscapes"
    keys = [f"{number:05d}" for number in range(1, files + 1)]
    with origin(folder) as picture:
        for kind in ("images", "labels"):
            links(picture, gta5 / kind, (f"{key}.png" for key in keys))
        for kind, ending in (("leftImg8bit", "leftImg8bit"), ("gtFine", "gtFine_labelIds")):
            for split in ("train", "val"):
                names = (f"town_{number:06d}_000000_{ending}.png" for number in range(CAMERA))
                links(picture, cityscapes / kind / split / "town", names)
    file = folder / "streets_over_files.yaml"
    rendered, camera = f"{{root: {gta5}}}", f"{{root: {cityscapes}}}"
    file.write_text(
        "base: streets\nstages:\n  streets: null\n"
        f"  source: {{data: {rendered}}}\n  adapted: {{data: {rendered}}}\n"
        f"  translate: {{source: {rendered}, target: {camera}}}\n  feature: {{source: {rendered}, target: {camera}}}\n"
        f"  both: {{target: {camera}}}\n  oracle: {{data: {camera}}}\n  evaluate: {{data: {camera}}}\n"
        f"  report: {{source: {rendered}, data: {camera}}}\n"
    )
    return file


def finish(name: str, store: Store, files: int) -> None:
    """Leave what the stages of a pipeline leave, in name: outputs, and manifests that are true of them."""
    loaded = pipelines.load(name)
    for planned in plans.make(loaded, store):
        stage, folder = loaded.stages[planned.stage], store.folder(planned.kind, planned.key)
        names = [f"{each}/{number:05d}.png" for each in ("images", "labels") for number in range(1, files + 1)]
        if stage.kind == "export":
            names.append("dataset.json")
        else:
            names = [each if "." in each else f"{each}/one" for each in published(stage.module, folder)]
        with origin(store.root) as picture:
            links(picture, folder, names)
            one = {"bytes": picture.stat().st_size, "sha256": sha256(picture)}
        config = stage.config.model_dump(mode="json", by_alias=True)
        manifests.write(folder, Manifest(
            stage.name, stage.kind, stage.module.VERSION, planned.key, config, planned.inputs, dict.fromkeys(names, one)
        ))  # fmt: skip


@contextmanager
def origin(folder: Path) -> Iterator[Path]:
    """A small picture."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "origin.png"
    cv2.imwrite(str(path), np.zeros((8, 8), np.uint8))
    yield path
    path.unlink()


def links(picture: Path, folder: Path, names: Iterator[str] | Sequence[str]) -> None:
    """Hard links to a picture; a file has 65,000 names at most, and so gets a copy now and then."""
    for number, name in enumerate(names):
        if number % 20000 == 0:
            content = picture.read_bytes()
            picture.unlink()
            picture.write_bytes(content)
        path = folder / name
        if number == 0 or not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        os.link(picture, path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=25000, help="images of the large set")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each command that count")
    figure.add_arguments(parser)
    given = parser.parse_args()
    figure.tell(measure(given.files, given.rounds), given)


if __name__ == "__main__":
    main()
