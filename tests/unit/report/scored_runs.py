"""Finished runs as `segda run` leaves them, with scores that can be checked by hand."""

from pathlib import Path
from typing import Any

import numpy as np

from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest, write_json
from segda.artefacts.store import Store
from segda.evaluation.scores import Evaluation
from segda.metrics.mean_iou import Confusion
from segda.report import results_file
from segda.report.results_file import Scored

CLASSES = ("zero", "one")


def accuracy(right: int, *, oracle: bool = False, **protocol: Any) -> dict[str, Any]:
    """The evaluation of 100 pictures, half of either class, `right` of them right: all zeros and the first ones."""
    confusion = Confusion(CLASSES)
    confusion.counts[:] = [[50, 0], [100 - right, right - 50]] if right >= 50 else [[right, 50 - right], [50, 0]]
    details = {"measure": "accuracy", "images": 100, "trained_on_target_labels": oracle, **protocol}
    evaluation = Evaluation(confusion, 100, details).to_json()
    shares = np.diag(confusion.counts) / 50
    return {**evaluation, "class_accuracy": dict(zip(CLASSES, shares.tolist(), strict=True))}


def write_run(
    root: Path, pipeline: str, seed: int, rows: dict[str, dict[str, Any]], *, stage: str = "evaluate", steps: int = 7
) -> Path:
    """A run with one training stage and one finished evaluation; returns the evaluation's folder."""
    name = f"{pipeline}-seed{seed}" if seed else pipeline
    stages = {}
    for kind, called in (("align", "dann"), ("evaluate", stage)):
        folder = root / f"{kind}-{pipeline}{seed}{stage}"
        folder.mkdir(parents=True)
        if kind == "evaluate":
            write_json(folder / "evaluation.json", rows)
        manifest = Manifest(
            stage=called, kind=kind, version=1, key="0" * 64, config={}, inputs={},
            outputs=manifests.describe_outputs(folder, ["evaluation.json"]) if kind == "evaluate" else {},
            provenance={
                "run": name, "git": "abc", "dirty": False, "seconds": 2.5, "platform": "Linux", "cpu": "a CPU",
                "threads": 2,
                "command": f"__main__.py run {pipeline} --runs /somewhere/runs --seed {seed}",
                "packages": {"torch": "2"},
            },
        )  # fmt: skip
        manifests.write(folder, manifest)
        stages[called] = {"kind": kind, "folder": folder.name, "key": "0" * 64, "state": "done"}
    config = {"seed": seed, "stages": {"dann": {"kind": "align", "steps": steps}}}
    Store(root).write_lock(name, {"schema": 1, "run": name, "stages": stages, "config": config})
    return root / stages[stage]["folder"]


def digits(root: Path, seeds: int = 3) -> None:
    """The pipeline `digits` in seeds 0, 1, …: source only 60, 62, …, dann 80, 84, …, oracle 90 each time."""
    for seed in range(seeds):
        write_run(root, "digits", seed, {
            "source only": accuracy(60 + 2 * seed),
            "dann": accuracy(80 + 4 * seed),
            "with labels": accuracy(90, oracle=True),
        })  # fmt: skip


def scored_in(root: Path) -> list[Scored]:
    """The scores of all runs in a folder."""
    return [scored for name in Store(root).runs() for scored in results_file.of_run(Store(root), name)]
