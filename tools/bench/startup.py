"""How long segda takes to start: help, a plan, and to see that a pipeline is finished, also over 25,000 files.

Each command runs in a process of its own, five times after one that is not counted; the target is for the median. The
first plan of a config makes all checks, with torch, and is a figure of its own. The two finished pipelines are the
shipped `streets`, and `streets` over 25,000 images with labels in GTA5's layout, whose export has as many again. All
pictures are hard links of one, and the stages' other files have the right names alone: seeing that a pipeline is
finished opens only the manifests, which are true.
"""

import hashlib
import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.definition import loading as pipelines
from pipelines.planning import plan as plans
from pipelines.running.execution import published
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.evaluation.scores import Evaluation
from segda.metrics.mean_iou import Confusion
from tools.bench.harness import Figure, medians, segda
from tools.bench.inputs import cityscapes_pairs, links, png

CAMERA = 100
SHIPPED = 240
"""Images that `streets` exports as it is shipped."""
EVALUATION = "evaluation.json"
EVALUATED = Evaluation(Confusion(("road", "car")), 1, {}).to_json()
"""Of a row, since the command prints the table of a finished pipeline."""
PICTURE = png(np.zeros((8, 8), np.uint8))


def pairs(files: int) -> list[str]:
    """Names of images and labels in GTA5's layout."""
    return [f"{folder}/{number:05d}.png" for folder in ("images", "labels") for number in range(1, files + 1)]


def pipeline(folder: Path, files: int) -> Path:
    """Data sets in a folder, and the file of a pipeline: `streets` over them in place of those that it generates."""
    gta5, cityscapes = folder / "gta5", folder / "cityscapes"
    links(PICTURE, (gta5 / name for name in pairs(files)))
    for split in ("train", "val"):
        cityscapes_pairs(cityscapes, split, range(CAMERA), PICTURE, PICTURE)
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

    def described(content: bytes) -> dict[str, object]:
        return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    loaded = pipelines.load(name)
    for planned in plans.make_plan(loaded, store):
        stage, folder = loaded.stages[planned.stage], store.folder(planned.kind, planned.key)
        names = [each if "." in each else f"{each}/one" for each in published(stage.module, folder)]
        names = [each for each in names if each != EVALUATION]
        if stage.kind == "export":
            names = [*pairs(files), "dataset.json"]
        links(PICTURE, (folder / name for name in names))
        config, version = stage.config.model_dump(mode="json", by_alias=True), stage.module.VERSION
        outputs = dict.fromkeys(names, described(PICTURE))
        if stage.kind == "evaluate":
            scores = json.dumps(dict.fromkeys(stage.config.rows, EVALUATED)).encode()
            links(scores, [folder / EVALUATION])
            outputs[EVALUATION] = described(scores)
        made = Manifest(stage.name, stage.kind, version, planned.key, config, planned.inputs, outputs)
        manifests.write(folder, made)


def measure(files: int = 25000, rounds: int = 5) -> list[Figure]:
    """The figures of all commands; `files` images in the large set, `rounds` runs that count."""
    with tempfile.TemporaryDirectory() as name:
        folder, runs = Path(name), str(Path(name, "runs"))
        job = str(pipeline(folder, files))
        finish("streets", Store(Path(runs)), SHIPPED)
        finish(job, Store(Path(runs)), files)

        def took(what: str, bound: float | None, *words: str, rounds: int = rounds, warm_up: int = 1) -> Figure:
            command = partial(segda, *words, SEGDA_CHECKED=str(folder / "checked"))
            seconds = medians({what: command}, rounds, warm_up)[what]
            return Figure(what, seconds, "s", seconds, bound=bound, sense="at most")

        plan = ("run", "streets", "--plan", "--runs", str(folder / "none"))
        return [
            took("`segda --help`", 0.3, "--help"),
            took("`segda run streets --plan`, never checked before", None, *plan, rounds=1, warm_up=0),
            took("`segda run streets --plan`", 1.0, *plan),
            took("`segda run streets`, finished", 2.0, "run", "streets", "--runs", runs),
            took(f"the same over {files:,} images", 2.0, "run", job, "--runs", runs),
        ]
